"""Progress on a terminal, read as the terminal would draw it."""

from __future__ import annotations

import io

import pytest

from imagebake.kernel.host.terminal import LiveProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_finished_step_leaves_one_line_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()

    with LiveProgress(out).step("Mirror artifacts", total=100, unit="B") as step:
        step.advance("one", 60)
        step.note("half of it")

    last = out.getvalue().splitlines()[-1]
    assert "✓" in last
    assert "Mirror artifacts (0." in last


def test_a_broken_step_says_so_and_lets_the_error_through() -> None:
    out = Terminal()

    with pytest.raises(RuntimeError), LiveProgress(out).step("Build image"):
        raise RuntimeError

    assert "Build image: failed" in out.getvalue()


def test_a_note_is_printed_as_it_stands() -> None:
    out = Terminal()

    LiveProgress(out).note("[bold]not markup[/bold]")

    assert "[bold]not markup[/bold]" in out.getvalue()
