"""Diagnostics: mistakes in a text, with their positions."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

_WIDEST = 160


class Severity(enum.StrEnum):
    """An error stops the command; a warning is only reported."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Diagnostic:
    """One mistake in one text.

    Lines and columns count from 1, as editors do; columns count characters, not bytes. *source*
    is the whole line of the mistake; *width* is the number of wrong characters in it (at least
    1).
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    severity: Severity = Severity.ERROR
    hint: str | None = field(default=None, compare=False)
    source: str = ""
    width: int = 1

    def __str__(self) -> str:
        """Return the diagnostic for a terminal, with carets below the position."""
        head = (
            f"{self.path}:{self.line}:{self.column}: {self.severity}[{self.code}]: {self.message}"
        )
        number = str(self.line)
        gutter = " " * len(number)
        lines = [head]
        if self.source:
            shown, column = _window(self.source.expandtabs(1).rstrip(), self.column)
            width = min(self.width, max(1, len(shown) - column + 1))
            caret = " " * (column - 1) + "^" * width
            lines += [f"{gutter} |", f"{number} | {shown}".rstrip(), f"{gutter} | {caret}"]
        if self.hint:
            lines.append(f"{gutter} = hint: {self.hint}")
        return "\n".join(lines)

    def annotation(self) -> str:
        """The diagnostic as a GitHub Actions workflow command."""
        text = self.message + (f" ({self.hint})" if self.hint else "")
        escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        return (
            f"::{self.severity} file={self.path},line={self.line},col={self.column},"
            f"title={self.code}::{escaped}"
        )


def _window(line: str, column: int) -> tuple[str, int]:
    """Return the part of a long *line* around *column*, and the column in that part."""
    if len(line) <= _WIDEST:
        return line, column
    start = max(0, min(column - _WIDEST // 2, len(line) - _WIDEST))
    cut = line[start : start + _WIDEST]
    if start:
        cut = "…" + cut[1:]
    if start + _WIDEST < len(line):
        cut = cut[:-1] + "…"
    return cut, column - start
