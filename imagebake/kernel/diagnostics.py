"""A complaint about a text, with the address of what it complains about."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

_WIDEST = 160


class Severity(enum.StrEnum):
    """How bad it is: an error stops, a warning is said and passed over."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Diagnostic:
    """One mistake in one text.

    Lines and columns count from 1, as editors do; columns count characters, not bytes.
    *source* is the whole line the mistake stands in; *width* is how many characters of
    it are wrong (at least 1).
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
        """The complaint as people read it in a terminal, with a caret below the place."""
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
        """The complaint as a GitHub Actions workflow command."""
        text = self.message + (f" ({self.hint})" if self.hint else "")
        escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        return (
            f"::{self.severity} file={self.path},line={self.line},col={self.column},"
            f"title={self.code}::{escaped}"
        )


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a long *line* around *column*, and where the column is in it."""
    if len(line) <= _WIDEST:
        return line, column
    start = max(0, min(column - _WIDEST // 2, len(line) - _WIDEST))
    cut = line[start : start + _WIDEST]
    if start:
        cut = "…" + cut[1:]
    if start + _WIDEST < len(line):
        cut = cut[:-1] + "…"
    return cut, column - start
