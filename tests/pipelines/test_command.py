"""Workflows that are ours are kept true, and nobody else's are touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebake.kernel.errors import SpecError, UsageError
from imagebake.pipelines.workflows import HEADER, check_workflows, write_workflows

BAKE = ".github/workflows/bake.yml"
WANTED = {BAKE: f"{HEADER}name: bake\non: push\njobs: {{}}\n"}


def test_what_was_written_passes_the_check(tmp_path: Path) -> None:
    assert write_workflows(tmp_path, WANTED) == (f"wrote {BAKE}",)

    check_workflows(tmp_path, WANTED)
    assert write_workflows(tmp_path, WANTED) == ()


def test_the_first_line_that_differs_is_named(tmp_path: Path) -> None:
    write_workflows(tmp_path, WANTED)
    (tmp_path / BAKE).write_text(WANTED[BAKE].replace("on: push", "on: pull_request"))

    with pytest.raises(SpecError) as caught:
        check_workflows(tmp_path, WANTED)

    assert str(caught.value.diagnostics[0]) == (
        f"{BAKE}:3:1: error[W001]: it should be 'on: push'\n"
        "  |\n"
        "3 | on: pull_request\n"
        "  | ^^^^^^^^^^^^^^^^\n"
        "  = hint: ./inv pipelines writes it"
    )


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (WANTED[BAKE].replace("jobs: {}\n", ""), f"{BAKE}:4:1: error[W001]: it ends before"),
        (WANTED[BAKE] + "more: 1\n", f"{BAKE}:5:1: error[W001]: it should have ended"),
    ],
    ids=["shorter", "longer"],
)
def test_a_file_that_is_longer_or_shorter_differs_at_its_end(
    tmp_path: Path, there: str, message: str
) -> None:
    write_workflows(tmp_path, WANTED)
    (tmp_path / BAKE).write_text(there)

    with pytest.raises(SpecError) as caught:
        check_workflows(tmp_path, WANTED)

    assert str(caught.value.diagnostics[0]).startswith(message)


def test_a_missing_workflow_and_an_abandoned_one_are_both_named(tmp_path: Path) -> None:
    write_workflows(tmp_path, {".github/workflows/old.yml": f"{HEADER}name: old\n"})

    with pytest.raises(SpecError) as caught:
        check_workflows(tmp_path, WANTED)

    assert [(one.path, one.code) for one in caught.value.diagnostics] == [
        (BAKE, "W002"),
        (".github/workflows/old.yml", "W003"),
    ]
    assert write_workflows(tmp_path, WANTED) == (
        f"wrote {BAKE}",
        "deleted .github/workflows/old.yml",
    )


def test_a_workflow_written_by_hand_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / BAKE).parent.mkdir(parents=True)
    (tmp_path / BAKE).write_text("name: my own\n")
    other = ".github/workflows/ci.yml"

    with pytest.raises(UsageError, match=f"{BAKE}: written by hand, and would be lost"):
        write_workflows(tmp_path, WANTED | {other: f"{HEADER}name: ci\n"})

    assert (tmp_path / BAKE).read_text() == "name: my own\n"
    assert not (tmp_path / other).exists()
