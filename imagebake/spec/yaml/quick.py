"""The plainest YAML, read line by line: the tree that `read` makes, in a tenth of the time.

Two hundred specs are checked in two seconds, and PyYAML alone would take all of them. What
is read here is `key: value`, `- item`, comments and words in simple quotes; at anything else,
be it wrong or only unusual, this gives up, and `read` takes over. A test holds the two equal.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from imagebake.spec.yaml.nodes import Entry, Mapping, Node, Place, Scalar, Sequence, Source
from imagebake.spec.yaml.scalars import resolve

_UNUSUAL = re.compile("[\t\r\x85\u2028\u2029]")
_CONTENT = re.compile(r"( *)([^ #].*)")
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,60}):(?: +|$)")
_ITEM = re.compile(r"- +")
_COMMENT = re.compile(r" *(?: #.*)?")
_QUOTED = re.compile(r"\"([^\"\\]*)\"|'([^']*)'")
_PLAIN = re.compile(r"[A-Za-z0-9_./^+$(<\\](?:[^ :#]|:(?=[^ ])|(?<=[^ ])#| +(?=[^ #]))*")
_MAX_DEPTH = 16


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


class _GiveUpError(Exception):
    """The text is not of the plainest kind."""


def quick(text: str, source: Source) -> Mapping | None:
    """The tree of *text*, or None where only the whole of YAML can tell."""
    if _UNUSUAL.search(text):
        return None
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        if match := _CONTENT.match(line):
            lines.append(_Line(number, len(match[1]), match[2]))
    reader = _Reader(lines, source)
    try:
        if not lines or lines[0].indent:
            return None
        tree = reader.mapping(0, 0)
    except _GiveUpError:
        return None
    return tree if reader.at == len(lines) else None


class _Reader:
    """Reads *lines* from *at* on; an item's rest takes the place of its line."""

    def __init__(self, lines: list[_Line], source: Source) -> None:
        self.lines = lines
        self.source = source
        self.at = 0

    def mapping(self, indent: int, depth: int) -> Mapping:
        """The mapping whose keys begin in column *indent* (from 0)."""
        entries: dict[str, Entry] = {}
        first = self.lines[self.at]
        while self.at < len(self.lines) and (line := self.lines[self.at]).indent == indent:
            match = _KEY.match(line.text)
            if not match or match[1] in entries:
                raise _GiveUpError
            key = match[1]
            place = Place(self.source, line.number, indent + 1, len(key))
            rest = line.text[match.end() :]
            value = (
                self.scalar(line, match.end(), indent)
                if rest and rest[0] != "#"
                else self.below(indent, depth)
            )
            entries[key] = Entry(Scalar(place, key, resolve(key)), value)
        return Mapping(Place(self.source, first.number, indent + 1), entries)

    def below(self, indent: int, depth: int) -> Node:
        """What stands in the lines below a key in column *indent*."""
        self.at += 1
        if self.at == len(self.lines) or depth == _MAX_DEPTH:
            raise _GiveUpError
        line = self.lines[self.at]
        if line.text.startswith("- ") and line.indent >= indent:
            return self.sequence(line.indent, depth + 1)
        if line.indent > indent:
            return self.mapping(line.indent, depth + 1)
        raise _GiveUpError

    def sequence(self, indent: int, depth: int) -> Sequence:
        """The list whose dashes stand in column *indent*."""
        items: list[Node] = []
        first = self.lines[self.at]
        while self.at < len(self.lines) and (line := self.lines[self.at]).indent == indent:
            match = _ITEM.match(line.text)
            if not match:
                break
            if _KEY.match(line.text, match.end()):
                column = indent + match.end()
                self.lines[self.at] = _Line(line.number, column, line.text[match.end() :])
                items.append(self.mapping(column, depth + 1))
            else:
                items.append(self.scalar(line, match.end(), indent))
        return Sequence(Place(self.source, first.number, indent + 1), tuple(items))

    def scalar(self, line: _Line, start: int, indent: int) -> Scalar:
        """The text at *start* of *line*, which is the last thing in it."""
        match = _PLAIN.match(line.text, start)
        quotes = None if match else _QUOTED.match(line.text, start)
        found = match or quotes
        if not found or not _COMMENT.fullmatch(line.text, found.end()):
            raise _GiveUpError
        self.at += 1
        if self.at < len(self.lines) and self.lines[self.at].indent > indent:
            raise _GiveUpError
        width = found.end() - start
        place = Place(self.source, line.number, line.indent + start + 1, width)
        if quotes:
            text = quotes[1] if quotes[2] is None else quotes[2]
            return Scalar(place, text, text, plain=False)
        value = resolve(found[0])
        if value is None:
            raise _GiveUpError
        return Scalar(place, found[0], value)
