"""Text of a template file, with positions for messages."""

from __future__ import annotations

import re
from bisect import bisect_right

from imagebake.kernel.diagnostics import Diagnostic, Severity
from imagebake.kernel.text.constrained import redacted

_LINE_BREAK = re.compile("\r\n|[\n\r]")
_CONTROL_CHARACTERS = re.compile(
    "[^\t\x20-\x7e\xa0-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff\ue000-\ufefe]"
)
_SNIPPET_LENGTH = 60


class SourceText:
    """A text and the path that people know it by.

    *start* is the number of its first line, counted from 1; above 1 for a document embedded in
    another file, so that messages give the line of that file.
    """

    __slots__ = ("_starts", "path", "start", "text")

    def __init__(self, path: str, text: str, start: int = 1) -> None:
        self.path = path
        self.text = text
        self.start = start
        # Computed on first use: most files have no finding.
        self._starts: list[int] | None = None

    def position(self, at: int) -> tuple[int, int]:
        """Return the line and column of the offset *at*, both counted from 1."""
        starts = self._lines()
        number = bisect_right(starts, at)
        return number - 1 + self.start, at - starts[number - 1] + 1

    def line_at(self, at: int) -> str:
        """Return the line of *at*, without control characters and the values of URL queries."""
        starts = self._lines()
        number = bisect_right(starts, at)
        end = starts[number] if number < len(starts) else len(self.text)
        return display_text(self.text[starts[number - 1] : end].rstrip("\r\n"))

    def snippet(self, at: int) -> str:
        """Return an excerpt from *at* to the end of its line."""
        end = at + _SNIPPET_LENGTH * 2
        text = display_text(
            _LINE_BREAK.split(self.text[at:end], maxsplit=1)[0].strip().rstrip(",;")
        )
        return text if len(text) <= _SNIPPET_LENGTH else text[:_SNIPPET_LENGTH] + "…"

    def diagnostic(
        self,
        at: int,
        code: str,
        message: str,
        *,
        severity: Severity = Severity.ERROR,
        hint: str | None = None,
        width: int = 1,
    ) -> Diagnostic:
        """Return a diagnostic at the offset *at*."""
        line, column = self.position(at)
        return Diagnostic(
            path=self.path,
            line=line,
            column=column,
            code=code,
            message=strip_control_characters(message),
            severity=severity,
            hint=hint,
            source=self.line_at(at),
            width=width,
        )

    def _lines(self) -> list[int]:
        if self._starts is None:
            self._starts = [0, *(match.end() for match in _LINE_BREAK.finditer(self.text))]
        return self._starts


def strip_control_characters(text: str) -> str:
    """Replace the characters of *text* that a terminal would interpret."""
    return _CONTROL_CHARACTERS.sub("\N{REPLACEMENT CHARACTER}", text)


def display_text(text: str) -> str:
    """Replace control characters, and the values of URL queries, which may be secrets."""
    return (
        redacted(strip_control_characters(text)) if "?" in text else strip_control_characters(text)
    )
