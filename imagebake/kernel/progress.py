"""Progress reports for people; results never use this channel."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, TextIO


class Step(Protocol):
    """A running step."""

    def advance(self, label: str = "", amount: int = 1) -> None:
        """Report *amount* more as done (items, or bytes where the step counts bytes)."""

    def note(self, text: str) -> None:
        """Report *text*."""


class Progress(Protocol):
    """A reporter of steps; titles are imperative, in sentence case, without an ellipsis."""

    def step(
        self, title: str, *, total: int | None = None, unit: str = ""
    ) -> contextlib.AbstractContextManager[Step]:
        """Open a step; it ends, or fails, with the context.

        *unit* is "B" where the step counts bytes, else "".
        """

    def note(self, text: str) -> None:
        """Report *text* between steps."""


@dataclass(slots=True)
class _PlainStep:
    out: TextIO
    count: int = 0
    notes: list[str] = field(default_factory=list)

    def advance(self, label: str = "", amount: int = 1) -> None:
        del label
        self.count += amount

    def note(self, text: str) -> None:
        print(f"    {text}", file=self.out, flush=True)


@dataclass(frozen=True, slots=True)
class PlainProgress:
    """One line a step, for pipes, logs and continuous integration."""

    out: TextIO

    @contextlib.contextmanager
    def step(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        """Print the title at once and the duration at the end."""
        del total, unit
        started = time.monotonic()
        print(f"  {title}", file=self.out, flush=True)
        step = _PlainStep(self.out)
        try:
            yield step
        except BaseException:
            print(f"  {title}: failed", file=self.out, flush=True)
            raise
        took = time.monotonic() - started
        print(f"  {title}: done in {took:.1f} s", file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Print *text* on a line of its own."""
        print(f"  {text}", file=self.out, flush=True)


class _SilentStep:
    def advance(self, label: str = "", amount: int = 1) -> None:
        """Ignore the report."""

    def note(self, text: str) -> None:
        """Ignore *text*."""


class NoProgress:
    """A reporter without output, for programs that read results only."""

    @contextlib.contextmanager
    def step(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        """Open a step without output."""
        del title, total, unit
        yield _SilentStep()

    def note(self, text: str) -> None:
        """Ignore *text*."""


@dataclass(frozen=True, slots=True)
class GroupedProgress:
    """GitHub's log: each step is a group that is folded when it ends."""

    out: TextIO

    @contextlib.contextmanager
    def step(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        """Open a group and close it at the end of the context."""
        del total, unit
        print(f"::group::{title}", file=self.out, flush=True)
        try:
            yield _PlainStep(self.out)
        finally:
            print("::endgroup::", file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Print *text* on a line of its own."""
        print(text, file=self.out, flush=True)
