"""Archives drop what is superseded: locks heal, pins do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.end_to_end.bakery import IMAGE, Bakery, tree
from tests.end_to_end.depot import Depot

pytestmark = [pytest.mark.root, pytest.mark.archive]

MOVED = "libonig5"


@pytest.fixture
def elsewhere(warm: Bakery, depot: Depot) -> Bakery:
    """A bakery whose archive is the depot, and whose mirror lacks what the customizers need."""
    made = Bakery(warm.root, warm.state, {"archive": str(depot.sources)})
    made.run("lock", IMAGE)
    shutil.rmtree(made.state / "mirror" / "bundles", ignore_errors=True)
    base, *steps = json.loads(made.lock.read_text())["steps"]
    assert base["name"] == "base"
    for step in steps:
        for package in step["packages"]:
            digest = package["sha256"]
            (made.state / "mirror" / "sha256" / digest[:2] / digest).unlink(missing_ok=True)
    made.customize(("greet", "echo somewhere else | sudo tee /etc/greeting"))
    return made


def test_a_dependency_that_moved_is_locked_again_and_told(
    elsewhere: Bakery, depot: Depot, tmp_path: Path
) -> None:
    depot.supersede(MOVED, "99.0-1", tmp_path / "scratch")
    depot.publish()
    before = tree(elsewhere.root)

    refused = elsewhere.run("bake", IMAGE, "--locked", ends=5).stderr
    kept = tree(elsewhere.root)
    baked = elsewhere.run("bake", IMAGE)

    assert f"the archive no longer has what the lock of {IMAGE} names: {MOVED}" in refused
    assert f"./inv lock {IMAGE}" in refused
    assert kept == before
    assert "→ 99.0-1" in baked.stderr
    assert f"wrote image_specs/{IMAGE}.lock.json" in baked.stderr
    changed = {path for path, now in tree(elsewhere.root).items() if before[path] != now}
    assert changed == {f"image_specs/{IMAGE}.lock.json"}
    assert "99.0-1" in elsewhere.lock.read_text()
    assert elsewhere.json("validate", IMAGE)[0]["passed"]


def test_a_pin_that_is_gone_is_refused_and_the_lock_stays(
    elsewhere: Bakery, depot: Depot, tmp_path: Path
) -> None:
    depot.supersede("jq", "99.0-1", tmp_path / "scratch")
    depot.publish()
    before = tree(elsewhere.root)

    refused = elsewhere.run("bake", IMAGE, ends=5).stderr

    assert "there is 99.0-1" in refused
    assert "./inv bump tiny --only jq" in refused
    assert tree(elsewhere.root) == before


def test_an_archive_that_is_dead_is_one_clear_error(elsewhere: Bakery, depot: Depot) -> None:
    depot.server.fail(".deb", "status", 503)

    refused = elsewhere.run("bake", IMAGE, ends=5).stderr

    assert refused.count("error: ") == 1
    assert "Traceback" not in refused
    assert "503" in refused
