"""How a long act tells people where it is; results never go this way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, TextIO


class Step(Protocol):
    """One running step, told of every piece of it that is done."""

    def advance(self, label: str = "", amount: int = 1) -> None:
        """Say that *amount* more is done (items, or bytes where the step counts bytes)."""

    def note(self, text: str) -> None:
        """Say something that people should see in passing."""


class Progress(Protocol):
    """Steps for people; imperative titles in sentence case, without an ellipsis."""

    def step(
        self, title: str, *, total: int | None = None, unit: str = ""
    ) -> contextlib.AbstractContextManager[Step]:
        """Open a step; it is finished, or failed, when the context is left.

        *unit* is "B" where the step counts bytes, else "".
        """

    def note(self, text: str) -> None:
        """Say something between steps."""


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
    """A line a step, for pipes, logs and continuous integration."""

    out: TextIO

    @contextlib.contextmanager
    def step(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        """Print the title at once and the time it took when it is over."""
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
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class NoProgress:
    """For programs, which read results and not the way to them."""

    @contextlib.contextmanager
    def step(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        """Open a step of which nobody hears."""
        del title, total, unit
        yield _SilentStep()

    def note(self, text: str) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class GroupedProgress:
    """GitHub's log: each step is a group that folds away when it is done."""

    out: TextIO

    @contextlib.contextmanager
    def step(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        """Open a group and close it, whatever happens inside."""
        del total, unit
        print(f"::group::{title}", file=self.out, flush=True)
        try:
            yield _PlainStep(self.out)
        finally:
            print("::endgroup::", file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Print *text* on a line of its own."""
        print(text, file=self.out, flush=True)
