"""What the workflows do on GitHub's machines they do here: every command, in order."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path

import pytest

from imagebake.heartbeat.records import BeatRecords
from imagebake.kernel.templating import Templates
from imagebake.pipelines.workflows import WorkflowSettings, render_workflows
from imagebake.spec.load import load_all
from tests.end_to_end.bakery import IMAGE, PROJECT, Bakery
from tests.support.beats import a_beat
from tests.support.workflow_runner import Runner, shims

pytestmark = [pytest.mark.root, pytest.mark.archive]

INV = '#!/bin/sh\n[ "$1" = bake ] && set -- "$@" --no-proof\nexec {python} -m imagebake "$@"\n'
"""As the real one, for an image that is too small to boot."""


@pytest.fixture
def here(warm: Bakery, tmp_path: Path) -> Runner:
    return _runner(warm, tmp_path)


def _runner(bakery: Bakery, tmp_path: Path) -> Runner:
    inv = bakery.root / "inv"
    inv.write_text(INV.format(python=bakery.python))
    inv.chmod(0o755)
    git(bakery.root, "init", "--quiet", "--initial-branch", "main")
    commit(bakery.root, "begin")
    path = shims(tmp_path / "bin", bakery.python)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Runner(
        root=bakery.root, scratch=scratch, variables=bakery.environment() | {"PATH": path}
    )


def git(root: Path, *words: str) -> str:
    named = ["-c", "user.name=Test", "-c", "user.email=test@imagebake.test"]
    done = subprocess.run(
        ["git", *named, *words], cwd=root, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(root: Path, message: str) -> str:
    git(root, "add", "image_specs")
    git(root, "commit", "--quiet", "--message", message)
    return git(root, "rev-parse", "HEAD")


def workflow(runner: Runner, name: str, *, azure: bool = False) -> str:
    specs = load_all(runner.root / "image_specs", root=runner.root).values()
    texts = render_workflows(specs, WorkflowSettings(azure=azure), Templates(PROJECT / "templates"))
    return texts[f".github/workflows/{name}.yml"]


def change(bakery: Bakery, line: str) -> None:
    bakery.customize(("greet", line))


def pull_request(runner: Runner, base: str) -> None:
    head = {"repo": {"full_name": "example/images"}}
    runner.event = {"pull_request": {"base": {"sha": base}, "head": head, "number": 7}}


def test_a_pull_request_is_checked_baked_and_commented(warm: Bakery, here: Runner) -> None:
    base = git(here.root, "rev-parse", "HEAD")
    change(warm, "echo changed | sudo tee /etc/greeting")
    commit(here.root, "greet otherwise")
    pull_request(here, base)

    steps = here.run(workflow(here, "pr"))

    assert "Bake what the lock names, and prove its first boot offline" in steps
    assert "greet" in (here.root / "plan.md").read_text()
    assert IMAGE in here.summary
    asked = (Path(here.variables["PATH"].partition(":")[0]) / "gh.log").read_text()
    assert "repos/example/images/issues/7/comments" in asked


def test_a_pull_request_that_changes_no_image_bakes_none(here: Runner) -> None:
    pull_request(here, git(here.root, "rev-parse", "HEAD"))

    steps = here.run(workflow(here, "pr"))

    assert "Check the specs against the rules" in steps
    assert "Bake what the lock names, and prove its first boot offline" not in steps


def test_a_fork_gets_no_comment(here: Runner) -> None:
    pull_request(here, git(here.root, "rev-parse", "HEAD"))
    fork = {"repo": {"full_name": "somebody/images"}}
    here.event = {"pull_request": dict(here.event["pull_request"]) | {"head": fork}}

    steps = here.run(workflow(here, "pr"))

    assert "Write the comment, or edit the one that is there" not in steps


def test_what_is_due_is_baked_and_attested_once(warm: Bakery, here: Runner) -> None:
    change(warm, "echo due | sudo tee /etc/greeting")
    warm.spec.write_text(warm.spec.read_text() + 'schedule: {cron: "* * * * *"}\n')
    bake = workflow(here, "bake")

    first, second = here.run(bake), here.run(bake)

    assert "Bake what the lock names, and nothing else" in first
    assert "Check the image against both" in first
    assert "Bake what the lock names, and nothing else" not in second
    assert here.artifacts[f"bake-{IMAGE}"]


def test_on_azure_what_was_baked_is_promoted(warm: Bakery, here: Runner) -> None:
    here.inputs = {"image": IMAGE}
    change(warm, "echo promoted | sudo tee /etc/greeting")

    steps = here.run(workflow(here, "bake", azure=True))
    rotated = here.run(workflow(here, "rotate", azure=True))

    assert "Carry out the rollout policy" in steps
    assert rotated == [
        "Ask whether the gate is open",
        "Show what has soaked and what may go",
        "Do it",
    ]


def test_pins_are_moved_in_a_pull_request_only_when_they_move(here: Runner) -> None:
    steps = here.run(workflow(here, "bump"))

    assert steps[-1] == "Propose what has changed"
    assert here.log[-1][1].endswith("nothing to move\n")


def gh(here: Runner) -> Path:
    """The folder of the GitHub that answers here."""
    return Path(here.variables["PATH"].partition(":")[0])


def asked_of_gh(here: Runner) -> list[str]:
    log = gh(here) / "gh.log"
    return log.read_text().splitlines() if log.exists() else []


WATCH = "Fail, and so tell the owners, when something is overdue"
SWITCH = "Move the workflows to our own runners when hosted ones start nothing"
SILENT = "Fail, and so tell the owners, when there was no good beat for too long"
FLIPPED = ['variable set BAKE_RUNNER --body ["self-hosted"]', "workflow run bake.yml"]


def test_the_watchdog_is_content_while_nothing_is_overdue(here: Runner) -> None:
    assert here.run(workflow(here, "watchdog")) == [WATCH, SWITCH]
    assert not any(one.startswith("variable") for one in asked_of_gh(here))


@pytest.mark.parametrize(
    ("runner", "done"), [("", FLIPPED), ('"of-our-own"', [])], ids=["hosted", "moved-already"]
)
def test_workflows_that_wait_for_hosted_runners_are_moved_once(
    here: Runner, runner: str, done: list[str]
) -> None:
    (gh(here) / "waiting").write_text("1")
    here.known = {"BAKE_RUNNER": runner}

    here.run(workflow(here, "watchdog"), leave_out=frozenset({WATCH}))

    assert [one for one in asked_of_gh(here) if not one.startswith("run ")] == done


def test_on_azure_it_is_the_silence_of_beats_that_moves_them(warm: Bakery, here: Runner) -> None:
    watchdog = workflow(here, "watchdog", azure=True)
    (gh(here) / "waiting").write_text("1")
    beats = BeatRecords(folder=gh(here) / "runs" / "7" / "beats-westeurope", host="host")
    beats.folder.mkdir(parents=True)
    beats.add([a_beat(image=IMAGE, began=dt.datetime.now(dt.UTC))])

    heard = here.run(watchdog, leave_out=frozenset({WATCH}))
    quiet = asked_of_gh(here)
    shutil.rmtree(gh(here) / "runs")
    shutil.rmtree(warm.state / "heartbeats")
    here.run(watchdog, leave_out=frozenset({WATCH, SILENT}))

    assert heard == ["Fetch the beats of the last runs", SWITCH, SILENT]
    assert any(one.startswith("run download 7 --pattern beats-* ") for one in quiet)
    assert not any(one.startswith("variable") for one in quiet)
    assert [one for one in asked_of_gh(here) if not one.startswith("run ")] == [
        FLIPPED[0],
        "workflow run heartbeat.yml",
    ]


def test_the_workflows_of_a_repository_pass_their_own_check(here: Runner) -> None:
    subprocess.run(["./inv", "pipelines"], cwd=here.root, env=dict(here.variables), check=True)

    steps = here.run(
        workflow(here, "ci"),
        leave_out=frozenset(
            {
                "Run the whole suite, as root for the tests that make namespaces",
                "Run the whole suite where nothing is installed that the project does not bring",
            }
        ),
    )

    assert steps == ["Compare the workflows with the specs and settings"] * 2
