"""Every command of every runbook is run, with the trouble provoked, and nothing else is touched."""

from __future__ import annotations

import json
import os
import signal

import pytest

from imagebake.recovery.faults import FAULTS
from tests.end_to_end import clones
from tests.end_to_end.bakery import IMAGE, PROJECT, Bakery, await_silence, tree
from tests.end_to_end.clones import Clone

pytestmark = [pytest.mark.root, pytest.mark.archive]

BOOKS = sorted(path.stem for path in (PROJECT / "docs" / "runbooks").glob("*.md"))
QUICK = {"gallery-deleted"}
"""What every run of the suite rehearses; the others take minutes together."""
BEATING = sorted(name for name, trouble in FAULTS.items() if trouble.beats)
"""Those whose machines really boot."""


def rehearse(bakery: Bakery, book: str, image: str = IMAGE) -> str:
    words = ("runbook", "rehearse", book, "--image", image, "--no-proof")
    done = bakery.run(*words)
    kept = (bakery.state / "records" / "rehearsals.jsonl").read_text().splitlines()
    last = json.loads(kept[-1])
    assert "as the page says, and in time" in done.stdout
    assert (last["runbook"], last["passed"]) == (book, True)
    assert {step["part"] for step in last["steps"]} == {"check", "command", "stop"}
    assert not (bakery.state / "rehearsals").exists()
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("book", BEATING)
def test_a_runbook_that_beats_sees_its_trouble_in_machines_that_boot(
    clone: Clone, book: str
) -> None:
    output = rehearse(clone.bakery, book, clones.IMAGE)

    assert "./inv heartbeat $IMAGE --region $REGION" in output


@pytest.mark.parametrize(
    "book",
    [
        pytest.param(book, marks=[] if book in QUICK else [pytest.mark.slow])
        for book in BOOKS
        if book not in BEATING
    ],
)
def test_a_runbook_ends_in_time_with_its_trouble_and_leaves_the_real_state_alone(
    warm: Bakery, book: str
) -> None:
    arm, layers, repository = warm.remembered(), warm.layers(), tree(warm.root)
    mirror = tree(warm.state / "mirror")

    rehearse(warm, book)

    assert (warm.remembered(), warm.layers()) == (arm, layers)
    assert (tree(warm.root), tree(warm.state / "mirror")) == (repository, mirror)


def test_people_get_a_table_the_page_and_what_was_rehearsed(warm: Bakery) -> None:
    kept = {"runbook": "bad-image", "began": "2026-11-23T00:00", "seconds": 1.5, "passed": True}
    (warm.state / "records").mkdir(exist_ok=True)
    with (warm.state / "records" / "rehearsals.jsonl").open("a") as file:
        file.write(json.dumps(kept) + "\nhalf a li")
    table = warm.run("runbook").stdout.splitlines()
    page = warm.run("runbook", "bad-image").stdout
    unknown = warm.run("runbook", "flood", ends=2).stderr
    nothing = warm.run("runbook", "rehearse", ends=2).stderr

    assert [line.split()[0] for line in table[1:]] == BOOKS
    assert (PROJECT / "docs" / "runbooks" / "bad-image.md").read_text().rstrip() in page
    assert "\nlast rehearsed here: 2026-11-23, 1.5 s, in time\n" in page
    assert "there is no runbook 'flood'" in unknown
    assert "say which runbook, or all" in nothing


def test_a_page_that_promises_what_does_not_happen_fails_its_rehearsal(warm: Bakery) -> None:
    own = warm.root / "docs" / "runbooks"
    own.mkdir(parents=True)
    page = (PROJECT / "docs" / "runbooks" / "gallery-deleted.md").read_text()
    (own / "gallery-deleted.md").write_text(page.replace("# ends with 3", ""))

    failed = warm.run(
        "runbook", "rehearse", "gallery-deleted", "--image", IMAGE, "--no-proof", "--write", ends=3
    )

    assert "./inv dr check $IMAGE ended with 3 instead of 0" in failed.stderr
    assert "measured: never" not in page
    assert (own / "gallery-deleted.md").read_text() == page.replace("# ends with 3", "")


@pytest.mark.slow
def test_a_rehearsal_that_is_killed_leaves_nothing(warm: Bakery) -> None:
    arm = warm.remembered()
    words = ("runbook", "rehearse", "mirror-lost", "--image", IMAGE, "--no-proof")
    with warm.start(*words) as running:
        assert running.stdout
        next(line for line in running.stdout if line.strip().startswith("Break"))
        os.kill(running.pid, signal.SIGKILL)

    scratch = warm.state / "rehearsals"
    await_silence(scratch)
    assert [path.name for path in scratch.glob("*")] == []
    assert warm.remembered() == arm
