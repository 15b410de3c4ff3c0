"""`validate` as it is typed: what it refuses before it does anything."""

from __future__ import annotations

import json

import pytest

from tests.build.commands.conftest import Run


@pytest.mark.parametrize(
    "words",
    [
        ("--scenario", "hang", "--rules-only"),
        ("--scenario", "hang", "--no-proof"),
        ("--control", "--rules-only"),
        ("--control", "--no-proof"),
    ],
    ids=" ".join,
)
def test_first_boots_are_not_wanted_and_left_out_at_once(run: Run, words: tuple[str, ...]) -> None:
    done = run("validate", "demo", *words)

    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: --scenario and --control are about first boots, which are left out"
    )


def test_an_image_that_has_no_spec_is_not_validated(run: Run) -> None:
    done = run("validate", "demos")

    assert done.returncode == 2
    assert done.stderr == (
        "error: there is no image spec called 'demos'\n  = hint: did you mean 'demo'?\n"
    )


@pytest.mark.parametrize("words", [(), ("demo", "--all")], ids=["neither", "both"])
def test_one_image_or_all_of_them(run: Run, words: tuple[str, ...]) -> None:
    done = run("validate", *words)

    assert done.returncode == 2
    assert done.stderr.startswith("error: name an image")
    assert done.stderr.endswith("  = hint: images: demo\n")


def test_a_version_without_an_image_is_no_version(run: Run) -> None:
    done = run("validate", "@1.0.0")

    assert done.returncode == 2
    assert done.stderr == "error: '@1.0.0' names no image\n  = hint: it is IMAGE@VERSION\n"


def test_a_missing_lock_is_a_finding_that_names_the_command(run: Run) -> None:
    done = run("validate", "demo", "--rules-only")

    assert done.returncode == 0
    assert "= fix: lock again: ./inv lock demo" in done.stdout


def test_programs_get_json_and_nothing_else(run: Run) -> None:
    done = run("validate", "demo", "--rules-only", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    (report,) = json.loads(done.stdout)
    assert report["subject"] == "demo"
    assert [one["severity"] for one in report["findings"]] == ["warning", "warning"]


def test_an_image_without_a_lock_has_nothing_to_be_compared_with(run: Run) -> None:
    done = run("validate", "demo")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: demo has no lock\n  = hint: ./inv lock demo\n"
