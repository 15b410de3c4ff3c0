"""Progress on a terminal: a bar for countable work, the latest note for other work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from imagebake.kernel.progress import Step


@dataclass(frozen=True, slots=True)
class _LiveStep:
    bar: Progress
    task: TaskID
    title: str

    def advance(self, label: str = "", amount: int = 1) -> None:
        """Advance the bar."""
        del label
        self.bar.advance(self.task, amount)

    def note(self, text: str) -> None:
        """Show *text* beside the title until the next note."""
        self.bar.update(self.task, description=f"{self.title}: {text}")


class LiveProgress:
    """One line a step, which moves while it runs and ends with its duration."""

    def __init__(self, out: TextIO) -> None:
        self.console = Console(file=out, highlight=False)

    @contextlib.contextmanager
    def step(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        """Draw the step until the context ends; a failed step is marked."""
        with Progress(
            *_columns(total, unit), console=self.console, transient=True, refresh_per_second=8
        ) as bar:
            task = bar.add_task(title, total=total)
            try:
                yield _LiveStep(bar, task, title)
            except BaseException:
                self._print("✗", "red", f"{title}: failed")
                raise
            took = bar.tasks[0].elapsed or 0.0
        self._print("✓", "green", f"{title} ({took:.1f} s)")

    def note(self, text: str) -> None:
        """Print *text* on a line of its own."""
        self.console.print(Text(f"  {text}"))

    def _print(self, mark: str, style: str, text: str) -> None:
        self.console.print(Text.assemble("  ", (mark, style), f" {text}"))


def _columns(total: int | None, unit: str) -> list[ProgressColumn]:
    columns: list[ProgressColumn] = [
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
    ]
    if total and unit == "B":
        columns += [BarColumn(), DownloadColumn(), TransferSpeedColumn()]
    elif total:
        columns += [BarColumn(), MofNCompleteColumn()]
    return [*columns, TimeElapsedColumn()]
