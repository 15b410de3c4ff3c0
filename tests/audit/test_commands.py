"""`import` and `debt` as they are typed: what is written, what is printed, how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.golden import FOLDER


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "PYTHONPATH": str(FOLDER.parents[1])}
    return subprocess.run(
        [sys.executable, "-m", "imagebake", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with the goldens' templates in it, and no spec."""
    (tmp_path / "image_specs").mkdir()
    for source in (FOLDER / "import").glob("*.json"):
        shutil.copy(source, tmp_path)
    shutil.copytree(FOLDER / "debt", tmp_path / "infra")
    return tmp_path


def specs(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "image_specs").iterdir())


def test_import_writes_a_spec_that_the_other_tasks_read(place: Path) -> None:
    done = run("import", "gallery.json", cwd=place)
    listed = run("specs", "--json", cwd=place)

    assert done.returncode == 0, done.stderr
    assert "gallery.json:25:60: error[I103]" in done.stdout
    assert done.stdout.endswith(
        "image_specs/web-server.yaml: written, with 14 findings about the template\n"
    )
    assert specs(place) == ["web-server.yaml"]
    assert listed.returncode == 0, listed.stderr


def test_import_says_what_the_spec_lacks(place: Path) -> None:
    done = run("import", "deployment.json", "--strict", cwd=place)

    assert done.returncode == 3
    assert "image_specs/build-agent.yaml:7:1: error[S010]" in done.stdout
    assert "is not all that deployment.json is" in done.stderr
    assert specs(place) == ["build-agent.yaml"]


def test_parameters_are_read_from_their_file(place: Path) -> None:
    outcome = run(
        *("import", "deployment.json", "--parameters", "deployment.parameters.json"),
        *("--json", "--name", "agent"),
        cwd=place,
    )

    found = json.loads(outcome.stdout)
    assert [finding["code"] for finding in found["lacking"]] == ["S014"], "only pins are missing"
    assert found["path"] == "image_specs/agent.yaml"
    assert "I110" not in {finding["code"] for finding in found["findings"]}


@pytest.mark.parametrize("taken", ["web-server.yaml", "web-server.lock.json"])
def test_nothing_is_written_where_a_name_is_taken(place: Path, taken: str) -> None:
    (place / "image_specs" / taken).write_text("mine")

    done = run("import", "gallery.json", cwd=place)

    assert done.returncode == 2
    assert f"image_specs/{taken} is there already" in done.stderr
    assert specs(place) == [taken]
    assert (place / "image_specs" / taken).read_text() == "mine"


def test_another_file_may_be_named_and_is_not_overwritten(place: Path) -> None:
    first = run("import", "gallery.json", "--out", "drafts/mine.yaml", cwd=place)
    again = run("import", "gallery.json", "--out", "drafts/mine.yaml", cwd=place)

    assert first.returncode == 0, first.stderr
    assert (place / "drafts" / "mine.yaml").read_text().count("name: mine\n") == 1
    assert again.returncode == 2
    assert specs(place) == []


def test_a_template_of_windows_becomes_a_spec_of_windows(place: Path) -> None:
    done = run("import", "windows.json", cwd=place)

    assert done.returncode == 0
    assert done.stdout.count("error[I101]") == 1
    assert specs(place) == ["windows.yaml"]
    assert "  os: Windows\n" in (place / "image_specs" / "windows.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("import",), "name an image template"),
        (("import", "gone.json"), "gone.json cannot be read"),
        (("import", "gallery.json", "--name", "Not A Name"), "cannot be the name of an image"),
        (("import", "infra/malformed/comma.json"), "comma.json:6:7: error[J001]"),
        (("import", "infra/arm/policy.json"), "it has no resource of the type"),
        (("debt",), "name files or folders"),
        (("debt", "gone"), "there is no gone"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_read_is_one_clear_error(
    place: Path, words: tuple[str, ...], message: str
) -> None:
    done = run(*words, cwd=place)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert specs(place) == []


def test_debt_is_said_and_only_strict_fails(place: Path) -> None:
    outcome = run("debt", "infra/arm", "infra/bicep", cwd=place)
    strict = run("debt", "infra/arm", "--strict", cwd=place)

    assert outcome.returncode == 0, outcome.stderr
    assert "infra/arm/machine.json:38:13: error[D101]" in outcome.stdout
    assert "infra/bicep/main.bicep:92:1: module lost" in outcome.stdout
    assert strict.returncode == 3


def test_a_gate_that_cannot_see_does_not_let_pass(place: Path) -> None:
    (place / "infra" / "only.bicep").write_text("resource\n")

    outcome = run("debt", "infra/only.bicep", cwd=place)
    strict = run("debt", "infra/only.bicep", "--strict", cwd=place)

    assert outcome.returncode == 0
    assert "infra/only.bicep:1:9: error[J002]" in outcome.stdout
    assert strict.returncode == 3


def test_code_scanning_and_programs_are_served_at_once(place: Path) -> None:
    done = run("debt", "infra/terraform", "--sarif", "out/debt.sarif", "--json", cwd=place)

    report = json.loads(done.stdout)
    sarif = json.loads((place / "out" / "debt.sarif").read_text())
    assert len(sarif["runs"][0]["results"]) == len(report["debts"]) == 21
