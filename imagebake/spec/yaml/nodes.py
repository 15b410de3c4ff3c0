"""Nodes of a YAML file, each with its position.

They are named tuples because a spec has hundreds of them and is read hundreds of times in a
run; a frozen dataclass takes four times as long to create.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping as MappingOf
from typing import NamedTuple

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.spec.codes import Code


class YamlSource(NamedTuple):
    """The text that diagnostics point into; *path* is shown to people."""

    path: str
    lines: tuple[str, ...]

    def line(self, number: int) -> str:
        """Return line *number*, counted from 1; empty beyond the end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""


class Position(NamedTuple):
    """A position in a file: line and column count from 1, *width* is at least 1."""

    source: YamlSource
    line: int
    column: int
    width: int = 1

    def complaint(self, code: Code, message: str, hint: str | None = None) -> Diagnostic:
        """Return a diagnostic at this position."""
        return Diagnostic(
            path=self.source.path,
            line=self.line,
            column=self.column,
            width=self.width,
            code=code.id,
            message=message,
            hint=hint,
            source=self.source.line(self.line),
        )


class YamlScalar(NamedTuple):
    """A scalar: *text* as written, *value* as resolved; *plain* when unquoted."""

    place: Position
    text: str
    value: str | int | float | None
    plain: bool = True


class YamlSequence(NamedTuple):
    """A list."""

    place: Position
    items: tuple[YamlNode, ...]


class YamlEntry(NamedTuple):
    """A key and its value."""

    key: YamlScalar
    value: YamlNode


class YamlMapping(NamedTuple):
    """Entries by the text of their keys, in the order of the file.

    It is not *whole* where a part of it could not be read, so that a key may seem to be
    missing.
    """

    place: Position
    entries: MappingOf[str, YamlEntry]
    whole: bool = True


class BrokenNode(NamedTuple):
    """A node that has been reported, and that has no usable value."""

    place: Position


YamlNode = YamlScalar | YamlSequence | YamlMapping | BrokenNode


def plain(node: YamlNode) -> object:
    """Return the value of *node* without positions: dicts, tuples and scalars."""
    if isinstance(node, YamlScalar):
        return node.value
    if isinstance(node, YamlMapping):
        return {name: plain(entry.value) for name, entry in node.entries.items()}
    if isinstance(node, YamlSequence):
        return tuple(map(plain, node.items))
    return None


_WORDS: dict[str, str | int | float | None] = {"": None, "null": None, "true": True, "false": False}
# Up to 18 digits, so that every integer fits into 64 bits.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,30})\.[0-9]{1,30}")


def resolve_scalar(text: str) -> str | int | float | None:
    """Return the value of the unquoted *text*: JSON's words and numbers, else text.

    YAML 1.1 has more: `on`, `0123`, `1_000`, `1:30`, dates. Here they stay texts.
    """
    if text[:1] in "-0123456789" and text:
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _DECIMAL.fullmatch(text) else text
    return _WORDS.get(text, text)


_PLAIN = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9._~/+@%=-]|:(?=[A-Za-z0-9/._~+-]))*")
_NUMBER = re.compile(
    r"[0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9]+)?|[0-9_]+(?::[0-9_]+)+(?:\.[0-9_]*)?|0[xob][0-9a-fA-F_]+"
)
_WORD = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|none")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def quote_scalar(text: str, style: str | None = None) -> str:
    """Return *text* in quotes of *style*, or unquoted where every YAML reader takes it for text."""
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if style == '"' or not is_plain(text):
        return json.dumps(text, ensure_ascii=False)
    return text


def is_plain(text: str) -> bool:
    """Return whether *text* needs no quotes in any position."""
    if not _PLAIN.fullmatch(text) or _NUMBER.fullmatch(text) or _WORD.fullmatch(text):
        return bool(_DAY.fullmatch(text))
    return isinstance(resolve_scalar(text), str)


def quote_sentence(text: str) -> str:
    """Return a sentence unquoted where it can end a line so, else quoted."""
    words = text.split(" ")
    if all(words) and all(map(_is_word, words)) and is_plain(words[0].rstrip(",")):
        return text
    return quote_scalar(text)


def _is_word(word: str) -> bool:
    return (
        bool(re.fullmatch(r"[A-Za-z0-9][^\s:#'\"\[\]{}&*!|>%@`\\]*", word)) and word.isprintable()
    )
