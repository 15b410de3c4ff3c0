"""Nodes of a YAML file, each with its position.

They are named tuples because a spec has hundreds of them and is read hundreds of times in a
run; a frozen dataclass takes four times as long to create.
"""

from __future__ import annotations

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
