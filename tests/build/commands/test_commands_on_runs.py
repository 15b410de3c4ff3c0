"""`bake --resume`, `logs` and `clean --cloud` as they are typed, where little has happened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagebake.azure.model.run_note import plan_text
from imagebake.build.run_notes import RunNotes
from tests.build.commands.conftest import Run
from tests.support.bake_services import SUBSCRIPTION, a_plan
from tests.support.run_notes import a_note

LOG = """\
[r] PACKER ERR 2026/11/22 12:00:00 [INFO] (telemetry) Starting provisioner shell
[r] PACKER OUT ==> azure-arm: greet: Provisioning
[r] PACKER OUT     azure-arm: greet: curl https://x.example/f?sig=abcdefgh
[r] PACKER OUT     azure-arm: greet: No space left on device
[r] PACKER ERR 2026/11/22 12:01:00 [INFO] (telemetry) ending shell
[r] PACKER OUT ==> azure-arm: Build 'azure-arm' errored: greet ended with exit code 3
"""


@pytest.fixture
def failed(tmp_path: Path) -> RunNotes:
    """The notes of a machine on which one run failed."""
    log = tmp_path / "state" / "kept.log"
    log.parent.mkdir(parents=True)
    log.write_text(LOG)
    notes = RunNotes(tmp_path / "state" / "runs" / "local")
    notes.end(a_note(run="0123-run", state="Failed", said="the run ended Failed", log=str(log)))
    return notes


def test_a_failed_build_is_shown_by_step_with_cause_and_next_command(
    run: Run, failed: RunNotes
) -> None:
    done = run("logs", "demo")

    assert done.returncode == 0, done.stderr
    first = "run 0123-run of demo, begun 2026-11-22T10:00:00+00:00: Failed"
    assert done.stdout.splitlines()[0] == first
    assert "1  greet  shell  60       failed" in done.stdout
    assert "  = cause: the build machine's disk is full" in done.stdout
    assert "abcdefgh" not in done.stdout
    assert failed.under_way("demo") == ()


def test_a_build_is_json_for_programs_and_followed_line_by_line(run: Run, failed: RunNotes) -> None:
    told = json.loads(run("logs", "demo", "--json", "--run", "0123").stdout)
    followed = run("logs", "demo", "--follow").stdout

    assert told["state"] == "Failed"
    assert told["steps"][0]["hint"].startswith("raise build.disk_gb")
    assert "abcdefgh" not in json.dumps(told)
    assert followed.startswith("== shell greet\n   greet: curl https://x.example/f?…\n")
    assert failed.ended("demo")[0].run == "0123-run"


@pytest.mark.slow
def test_what_is_not_there_is_told_with_what_is(run: Run, failed: RunNotes) -> None:
    none = run("logs", "demo", "--run", "9")
    resumed = run("bake", "demo", "--resume")

    assert (none.returncode, resumed.returncode) == (2, 2)
    assert none.stderr == (
        "error: demo has no run '9'\n"
        "  = hint: the last ones: 0123-run (2026-11-22T10:00:00+00:00)\n"
    )
    assert "no run of demo is under way: the last one ended Failed" in resumed.stderr
    assert len(failed.ended("demo")) == 1


@pytest.mark.slow
def test_a_run_elsewhere_is_not_resumed_here(run: Run, tmp_path: Path) -> None:
    notes = RunNotes(tmp_path / "state" / "runs" / "local")
    notes.keep(a_note(gallery="another", plan=plan_text(a_plan())))

    done = run("bake", "demo", "--resume")

    assert done.returncode == 2
    assert f"is in gallery another of imagebake in subscription {SUBSCRIPTION}" in done.stderr
    assert len(notes.under_way("demo")) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("clean", "--plan"), "--plan and --json go with --cloud"),
        (("clean", "--cloud", "--budget", "1"), "--budget is for what is cached here"),
        (("logs", "demo"), "no run of demo was started from here"),
        (("bake", "demo", "--resume", "--force"), "--resume starts nothing"),
    ],
)
def test_what_does_not_fit_is_refused(run: Run, words: tuple[str, ...], message: str) -> None:
    done = run(*words)

    assert done.returncode == 2
    assert message in done.stderr


def test_a_run_whose_template_has_gone_is_forgotten_after_a_plan(run: Run, tmp_path: Path) -> None:
    notes = RunNotes(tmp_path / "state" / "runs" / "local")
    notes.keep(a_note())

    planned = run("clean", "--cloud", "--plan")
    kept = notes.under_way("demo")
    done = run("clean", "--cloud")

    row = "run   demo-0123456789abcdef  forget  its template has gone, and no version"
    assert row in planned.stdout, planned.stderr
    assert len(kept) == 1
    assert row in done.stdout
    assert notes.under_way("demo") == ()
