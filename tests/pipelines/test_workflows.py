"""Workflows grant little, run tasks only, and say what the specs say."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagebake.kernel.templating import Templates
from imagebake.pipelines.workflows import HEADER, WorkflowSettings, render_workflows
from tests.support.builders import a_spec

BIN = Path(sys.executable).parent
SPECS = (
    a_spec(name="weekly", schedule={"cron": "17 3 * * 2"}),
    a_spec(name="amsterdam", schedule={"cron": "5 4 * * *", "timezone": "Europe/Amsterdam"}),
    a_spec(name="also-weekly", schedule={"cron": "17 3 * * 2"}),
    a_spec(name="azure-only", local=None),
)
OWN_SHELL = {
    "Write the comment, or edit the one that is there",
    "Propose what has changed",
    "Fetch the beats of the last runs",
    "Fetch the records of the last page",
    "Move the workflows to our own runners when hosted ones start nothing",
}
"""Steps that speak to GitHub, which no task does."""


@pytest.fixture(params=[False, True], ids=["local", "azure"])
def texts(request: pytest.FixtureRequest, templates: Templates) -> dict[str, str]:
    return render_workflows(SPECS, WorkflowSettings(azure=request.param), templates)


@pytest.fixture
def workflows(texts: dict[str, str]) -> dict[str, Any]:
    return {path: yaml.safe_load(text) for path, text in texts.items()}


def jobs(workflows: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, workflow in workflows.items():
        for name, job in workflow["jobs"].items():
            yield f"{path} {name}", job


def runs(workflows: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, job in jobs(workflows):
        for step in job["steps"]:
            if "run" in step:
                yield f"{where}: {step['name']}", step


def test_every_linter_is_content(texts: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    files = sorted(texts)

    for words in (
        ("zizmor", "--offline", "--persona", "pedantic", "--quiet", ".github/workflows"),
        ("jactionlint",),
        ("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files),
    ):
        done = subprocess.run(
            [BIN / words[0], *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_workflow_grants_nothing_and_says_where_it_is_from(texts: dict[str, str]) -> None:
    for path, text in texts.items():
        assert text.startswith(HEADER), path
        assert "\npermissions: {}\n" in text, path
        assert "\nconcurrency:\n" in text, path
        assert "pull_request_target" not in text, path


def test_a_job_ends_by_itself_and_names_what_it_may(workflows: dict[str, Any]) -> None:
    for where, job in jobs(workflows):
        assert 0 < job["timeout-minutes"] <= 360, where
        assert job["permissions"], where


def test_every_step_is_a_task_that_runs_on_a_laptop(workflows: dict[str, Any]) -> None:
    for where, step in runs(workflows):
        if step["name"] in OWN_SHELL:
            continue
        task = step["run"].removeprefix('sudo env "PATH=$PATH" ').removeprefix("CI=true ")
        assert task.startswith("./inv ") or task == "sudo .ci/run", where


def test_no_expression_stands_in_a_script(workflows: dict[str, Any]) -> None:
    assert [where for where, step in runs(workflows) if "${{" in step["run"]] == []


def test_actions_are_githubs_own_and_pinned_by_commit(texts: dict[str, str]) -> None:
    uses = re.findall(r"uses: (\S+) (.*)", "\n".join(texts.values()))

    assert uses
    for action, comment in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r"# v\d+\.\d+\.\d+", comment), action


def test_nothing_of_a_pull_request_runs_with_secrets_or_may_write(
    workflows: dict[str, Any], texts: dict[str, str]
) -> None:
    pr = workflows[".github/workflows/pr.yml"]
    writing = {
        name
        for name, job in pr["jobs"].items()
        if "write" in str(job["permissions"]) or "environment" in job
    }

    assert writing == {"comment"}
    assert not any("checkout" in step.get("uses", "") for step in pr["jobs"]["comment"]["steps"])
    assert "head.repo.full_name == github.repository" in pr["jobs"]["comment"]["if"]
    assert "secrets." not in texts[".github/workflows/pr.yml"]


def test_every_schedule_stands_once_and_what_a_cron_missed_is_asked_for_again(
    workflows: dict[str, Any],
) -> None:
    # YAML 1.1 reads the key `on` as true.
    schedule = workflows[".github/workflows/bake.yml"][True]["schedule"]

    assert schedule == [
        {"cron": "17 3 * * 2"},
        {"cron": "5 4 * * *", "timezone": "Europe/Amsterdam"},
        {"cron": "41 */6 * * *"},
    ]


def test_only_images_that_bake_on_a_runner_are_drilled(workflows: dict[str, Any]) -> None:
    drilled = workflows[".github/workflows/drill.yml"]["jobs"]["drill"]["strategy"]["matrix"]

    assert drilled == {"image": ["also-weekly", "amsterdam", "weekly"]}


def test_a_promotion_waits_for_approval_and_asks_the_gate_again(templates: Templates) -> None:
    texts = render_workflows(SPECS, WorkflowSettings(azure=True), templates)
    job = yaml.safe_load(texts[".github/workflows/bake.yml"])["jobs"]["promote"]

    assert job["environment"] == "production"
    assert [step["run"] for step in job["steps"] if "run" in step] == [
        "./inv gate",
        './inv rotate "$IMAGE" --apply',
    ]


def test_every_region_has_a_beat_of_its_own(templates: Templates) -> None:
    texts = render_workflows(SPECS, WorkflowSettings(azure=True), templates)
    job = yaml.safe_load(texts[".github/workflows/heartbeat.yml"])["jobs"]["beat"]

    assert job["strategy"] == {"fail-fast": False, "matrix": {"region": ["westeurope"]}}


def test_the_page_is_made_of_all_beats_above_all_when_one_was_missed(templates: Templates) -> None:
    texts = render_workflows(SPECS, WorkflowSettings(azure=True), templates)
    job = yaml.safe_load(texts[".github/workflows/heartbeat.yml"])["jobs"]["page"]

    assert (job["needs"], job["if"], job["environment"]["name"]) == ("beat", "always()", "read")
    assert [step["run"] for step in job["steps"] if step.get("name") == "Write the page"] == [
        "./inv dashboard --out site/"
    ]
    kept = [step["with"]["name"] for step in job["steps"] if "upload-artifact" in str(step)]
    assert kept == ["records", "dashboard"]


def test_the_runner_is_one_variable_away(texts: dict[str, str]) -> None:
    for name in ("bake", "drill", "bump"):
        text = texts[f".github/workflows/{name}.yml"]
        assert "fromJSON(inputs.runner || vars.BAKE_RUNNER || '\"ubuntu-24.04\"')" in text, name


def test_the_watchman_is_on_no_hosted_runner(workflows: dict[str, Any]) -> None:
    watched = workflows[".github/workflows/watchdog.yml"]["jobs"]

    assert watched.keys() == {"watch", "standby"}
    for job in watched.values():
        assert job["runs-on"] == (
            "${{ fromJSON(inputs.runner || vars.WATCHDOG_RUNNER || '[\"self-hosted\"]') }}"
        )


def test_the_same_specs_give_the_same_bytes(templates: Templates, texts: dict[str, str]) -> None:
    azure = ".github/workflows/rotate.yml" in texts

    assert render_workflows(reversed(SPECS), WorkflowSettings(azure=azure), templates) == texts
