"""From a spec to a file, every command in turn."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.bakery import DEAD, GREET, IMAGE, Bakery, tree

pytestmark = [pytest.mark.root, pytest.mark.archive]


def test_what_was_baked_is_listed_shown_and_valid(seed: Bakery) -> None:
    (row,) = seed.versions()
    shown = seed.json("show", IMAGE)
    (report,) = seed.json("validate", IMAGE)

    assert (row["state"], row["hidden"], row["healthy"]) == ("Succeeded", True, True)
    assert row["id"].endswith(f"/images/tiny/versions/{row['version']}")
    assert re.fullmatch(r"\d{4}\.\d{3,4}\.0", row["version"])
    lock = hashlib.sha256(seed.lock.read_bytes()).hexdigest()
    assert shown["tags"]["imagebake-lock"] == lock
    assert shown["manifest"]["contents"]["lock_sha256"] == lock
    assert [pin["name"] for pin in shown["manifest"]["contents"]["pins"]] == ["jq"]
    assert re.fullmatch("[0-9a-f]{64}", shown["manifest"]["content_sha256"])
    assert report["passed"]
    assert {finding["severity"] for finding in report["findings"]} <= {"warning"}
    assert report["subject"] == f"{IMAGE}@{row['version']}"


def test_people_read_the_same_in_tables(seed: Bakery) -> None:
    version = seed.versions()[0]["version"]

    listed = seed.run("versions").stdout.splitlines()
    shown = seed.run("show", f"{IMAGE}@{version}").stdout
    output = seed.run("validate", IMAGE).stdout

    assert listed[0].split() == [
        *("image", "version", "state", "shown", "published", "age", "regions", "bake", "key"),
        "commit",
    ]
    assert listed[1].startswith(f"{IMAGE}   {version}  Succeeded  hidden")
    assert shown.startswith(f"{IMAGE}@{version}\n")
    assert output.splitlines()[-1].startswith(f"{IMAGE}@{version}: 0 errors")


def test_a_second_bake_says_unchanged_and_touches_nothing(seed: Bakery, tmp_path: Path) -> None:
    dead = tmp_path / "dead.sources"
    suite = json.loads(seed.lock.read_text())["suite"]
    dead.write_text(f"Types: deb\nURIs: {DEAD}\nSuites: {suite}\nComponents: main\n")
    arm, logs, layers = seed.remembered(), seed.logs(), seed.layers()
    repository, mirror = tree(seed.root), tree(seed.state / "mirror")
    cut_off = Bakery(seed.root, seed.state, {"archive": str(dead)})

    told = cut_off.run("bake", IMAGE).stdout
    again = cut_off.json("bake", IMAGE)

    assert told.splitlines()[1].split()[2] == "unchanged"
    assert [one["made"] for one in again["images"]] == [False]
    assert (seed.remembered(), seed.logs(), seed.layers()) == (arm, logs, layers)
    assert tree(seed.root) == repository
    assert tree(seed.state / "mirror") == mirror


def test_the_repository_holds_nothing_but_the_spec_and_the_lock_it_was_told_to_write(
    seed: Bakery,
) -> None:
    assert list(tree(seed.root)) == [f"image_specs/{IMAGE}.lock.json", f"image_specs/{IMAGE}.yaml"]


def test_locking_again_changes_nothing(warm: Bakery) -> None:
    before = tree(warm.root)

    (output,) = warm.json("lock", IMAGE)

    assert output["outcome"] == "unchanged"
    assert output["moves"] == []
    assert tree(warm.root) == before
    assert warm.json("lock", IMAGE, "--check") == {IMAGE: "fresh"}


def test_two_machines_make_the_same_image_and_the_same_files(
    seed: Bakery, cold: Bakery, tmp_path: Path
) -> None:
    made = cold.bake()

    assert made["made"]
    first = seed.json("show", IMAGE)["manifest"]["content_sha256"]
    assert made["manifest"]["content_sha256"] == first
    for form, options in (("tar", ()), ("vhd", ("--size", "1"))):
        files = [tmp_path / f"one.{form}", tmp_path / f"two.{form}"]
        for file, bakery in zip(files, (seed, cold), strict=True):
            bakery.run("export", IMAGE, "--format", form, *options, "--out", file)
        subprocess.run(["cmp", *files], check=True)
    with (tmp_path / "one.tar").open("rb") as tar:
        assert hashlib.file_digest(tar, "sha256").hexdigest() == first


def test_a_disk_that_cannot_boot_is_refused_and_leaves_no_file(
    warm: Bakery, tmp_path: Path
) -> None:
    warm.customize(GREET)
    warm.bake()
    (tmp_path / "out").mkdir()

    refused = warm.run("export", IMAGE, "--out", tmp_path / "out" / "disk.vhd", ends=7)

    assert "no kernel" in refused.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow  # in every run: two machines make the same image
def test_force_bakes_the_same_once_more(warm: Bakery) -> None:
    warm.customize(("greet", "echo twice | sudo tee /etc/greeting"))
    first = warm.bake()

    (image,) = warm.json("bake", IMAGE, "--force")["images"]

    assert image["made"]
    newest = warm.versions()[:2]
    assert [row["id"] for row in newest] == [image["version"]["id"], first["version"]["id"]]
    assert len({row["tags"]["imagebake-bake-key"] for row in newest}) == 1


def test_cleaning_keeps_what_versions_stand_on(warm: Bakery) -> None:
    warm.customize(("greet", "exit 3"))
    warm.run("bake", IMAGE, ends=7)
    warm.customize(("greet", "echo unused | sudo tee /etc/unused"), ("fail", "exit 3"))
    warm.run("bake", IMAGE, ends=7)
    before = warm.layers()

    output = warm.run("clean", "--budget", "0").stdout

    assert re.match(r"removed [1-9]\d* layers: .* freed, .* left\n", output)
    assert warm.layers() < before
    assert warm.json("validate", IMAGE)[0]["passed"]


def test_a_wrong_blob_is_found_and_fetched_again(warm: Bakery) -> None:
    blob = max((warm.state / "mirror" / "sha256").glob("*/*"), key=lambda path: path.stat().st_size)
    content = blob.read_bytes()
    blob.unlink()  # the seed has a link to the same file
    blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    refused = warm.run("mirror", "verify", ends=5)
    warm.customize(("greet", "echo again | sudo tee /etc/greeting"))
    baked = warm.run("bake", IMAGE)

    assert blob.name[:12] in refused.stdout + refused.stderr
    assert "baked" in baked.stdout
    assert blob.read_bytes() == content
    assert warm.json("mirror", "verify")["wrong"] == []
