"""A file of somebody else's: its text, and where in it something stands."""

from __future__ import annotations

import re
from bisect import bisect_right

from imagebake.kernel.diagnostics import Diagnostic, Severity
from imagebake.kernel.text.constrained import redacted

_BREAK = re.compile("\r\n|[\n\r]")
_HIDDEN = re.compile(
    "[^\t\x20-\x7e\xa0-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff\ue000-\ufefe]"
)
_SNIPPET = 60


class SourceText:
    """A text and the path that people know it by.

    The text of a document inside another, as Terraform has them, stands in its own place:
    *start* is the line that its first line is on, counted from 1.
    """

    __slots__ = ("_starts", "path", "start", "text")

    def __init__(self, path: str, text: str, start: int = 1) -> None:
        self.path = path
        self.text = text
        self.start = start
        self._starts: list[int] | None = None

    def place(self, at: int) -> tuple[int, int]:
        """The line and the column of the offset *at*, counted from 1."""
        starts = self._lines()
        number = bisect_right(starts, at)
        return number - 1 + self.start, at - starts[number - 1] + 1

    def line(self, at: int) -> str:
        """The line that *at* is on, fit for a terminal, without what queries may hide."""
        starts = self._lines()
        number = bisect_right(starts, at)
        end = starts[number] if number < len(starts) else len(self.text)
        return display_text(self.text[starts[number - 1] : end].rstrip("\r\n"))

    def snippet(self, at: int) -> str:
        """What stands at *at*, to the end of its line, in a few words."""
        end = at + _SNIPPET * 2
        text = display_text(_BREAK.split(self.text[at:end], maxsplit=1)[0].strip().rstrip(",;"))
        return text if len(text) <= _SNIPPET else text[:_SNIPPET] + "…"

    def complaint(
        self,
        at: int,
        code: str,
        message: str,
        *,
        severity: Severity = Severity.ERROR,
        hint: str | None = None,
        width: int = 1,
    ) -> Diagnostic:
        """A complaint about what stands at *at*."""
        line, column = self.place(at)
        return Diagnostic(
            path=self.path,
            line=line,
            column=column,
            code=code,
            message=strip_control_characters(message),
            severity=severity,
            hint=hint,
            source=self.line(at),
            width=width,
        )

    def _lines(self) -> list[int]:
        if self._starts is None:
            self._starts = [0, *(match.end() for match in _BREAK.finditer(self.text))]
        return self._starts


def strip_control_characters(text: str) -> str:
    """*text* without what a terminal would obey."""
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def display_text(text: str) -> str:
    """*text* without what a terminal would obey, and without the values of queries."""
    return (
        redacted(strip_control_characters(text)) if "?" in text else strip_control_characters(text)
    )
