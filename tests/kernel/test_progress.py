"""Progress where nobody draws: pipes, logs, GitHub."""

from __future__ import annotations

import io

import pytest

from imagebake.kernel.progress import GroupedProgress, NoProgress, PlainProgress


def test_a_plain_step_has_a_first_and_a_last_line() -> None:
    out = io.StringIO()

    with PlainProgress(out).step("Build image") as step:
        step.note("Customizing")

    first, note, last = out.getvalue().splitlines()
    assert first == "  Build image"
    assert note == "    Customizing"
    assert last.startswith("  Build image: done in ")


def test_a_plain_step_that_breaks_ends_as_failed() -> None:
    out = io.StringIO()

    with pytest.raises(ValueError, match="no"), PlainProgress(out).step("Build image"):
        raise ValueError("no")

    assert out.getvalue().splitlines()[-1] == "  Build image: failed"


def test_a_group_is_closed_whatever_happens_in_it() -> None:
    out = io.StringIO()

    with pytest.raises(ValueError, match="no"), GroupedProgress(out).step("Build image"):
        raise ValueError("no")

    assert out.getvalue().splitlines()[0] == "::group::Build image"
    assert out.getvalue().splitlines()[-1] == "::endgroup::"


def test_programs_hear_nothing() -> None:
    with NoProgress().step("Build image") as step:
        step.note("Customizing")
        step.advance("one")
    NoProgress().note("nothing")
