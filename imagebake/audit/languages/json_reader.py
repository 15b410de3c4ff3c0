"""JSON as Azure reads it: with comments, with texts over several lines, and with positions."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from imagebake.audit.languages.nodes import (
    ListValue,
    Literal,
    Node,
    ObjectEntry,
    ObjectValue,
    Scalar,
)
from imagebake.audit.source import SourceText

DEEPEST = 100
_SKIP = re.compile(r"(?:[\s\ufeff]+|//[^\n\r]*|/\*(?s:.*?)\*/)*")
_TOKEN = re.compile(
    r'(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<mark>[{}\[\],:])'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.]))"
    r"|(?P<word>true|false|null)(?!\w)",
    re.DOTALL,
)
_HALF = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}


class Flaw(NamedTuple):
    """Something that is not as it should be, at an offset."""

    at: int
    message: str


def one_each(flaws: list[Flaw], first: dict[int, Flaw]) -> tuple[Flaw, ...]:
    """One flaw for each place, those in *first* before others of the same place."""
    return tuple(sorted(({flaw.at: flaw for flaw in reversed(flaws)} | first).values()))


class Reading(NamedTuple):
    """What a text says as far as it can be read, and what is wrong with it."""

    root: Node | None
    flaws: tuple[Flaw, ...]


class _Open(NamedTuple):
    """A list or table that is not closed yet; *key* waits for its value."""

    at: int
    items: list[Node] | None
    entries: dict[str, ObjectEntry]
    key: list[tuple[int, str]]


class _Stop(Exception):
    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.flaw = Flaw(at, message)


def read_json(source: SourceText) -> Reading:
    """Read *source*; what stands before a mistake is kept.

    A comma too much or too few is a flaw, and the reading goes on.
    """
    reader = _Reader(source)
    try:
        reader.run()
    except _Stop as stop:
        reader.flaws.append(stop.flaw)
        reader.close_all()
    return Reading(reader.root, tuple(reader.flaws))


class _Reader:
    """Reads without recursion, so that no depth of a hostile file is a danger."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.text = source.text
        self.root: Node | None = None
        self.flaws: list[Flaw] = []
        self.open: list[_Open] = []
        self.comma = 0

    def run(self) -> None:
        """Read the one value that the text is."""
        at, wanted = 0, "value"
        while True:
            at = self.skip(at)
            match = _TOKEN.match(self.text, at)
            if match is None:
                self.strange(at)
                return
            if self.root is not None:
                raise _Stop(at, "something follows after the end of the document")
            wanted = self.accept(at, match[0], match.lastgroup, wanted)
            at = match.end()

    def accept(self, at: int, piece: str, kind: str | None, wanted: str) -> str:
        """Take *piece* where *wanted* is due; what is due after it."""
        next_item = "key" if self.open and self.open[-1].items is None else "value"
        if wanted == "comma" and piece not in {",", "}", "]"}:
            self.flaws.append(Flaw(at, "a comma is missing before this"))
            wanted = next_item
        if piece in {"}", "]"}:
            self.close(at, piece, wanted)
            return "comma"
        if piece == "," and wanted == "comma":
            self.comma = at
            return next_item
        if wanted == "key":
            return self.name(at, piece, kind)
        if piece == ":" and wanted == "colon":
            return "value"
        if wanted != "value" or piece in {",", ":"}:
            raise _Stop(at, f"{piece[:20]!r} cannot stand here")
        if piece in {"{", "["}:
            self.push(at, piece)
            return "key" if piece == "{" else "value"
        self.add(Literal(self.source, at, self.plain(at, piece, kind)))
        return "comma"

    def skip(self, at: int) -> int:
        """Pass over blanks and comments."""
        match = _SKIP.match(self.text, at)
        return match.end() if match else at

    def strange(self, at: int) -> None:
        """Say what stands where no piece does; the end is fine when nothing is open."""
        if at >= len(self.text):
            if self.open:
                kind = "list" if self.open[-1].items is not None else "object"
                line = self.source.position(self.open[-1].at)[0]
                raise _Stop(at, f"the text ends inside the {kind} that line {line} opens")
            if self.root is None:
                raise _Stop(at, "the text is empty")
            return
        if self.text[at] == '"':
            raise _Stop(at, "this text is never closed")
        if self.text.startswith("/*", at):
            raise _Stop(at, "this comment is never closed")
        raise _Stop(at, f"{self.text[at : at + 1]!r} begins no value of JSON")

    def name(self, at: int, piece: str, kind: str | None) -> str:
        """Take the name of an entry."""
        if kind != "text":
            raise _Stop(at, f"a name in double quotes is missing before {piece[:20]!r}")
        self.open[-1].key.append((at, self.unquoted(at, piece)))
        return "colon"

    def push(self, at: int, piece: str) -> None:
        """Open a list or a table."""
        if len(self.open) >= DEEPEST:
            raise _Stop(at, f"this is nested more than {DEEPEST} deep")
        self.open.append(_Open(at, [] if piece == "[" else None, {}, []))

    def close(self, at: int, piece: str, wanted: str) -> None:
        """Close what is open, if *piece* fits it."""
        top = self.open[-1] if self.open else None
        if top is None or (piece == "]") != (top.items is not None):
            raise _Stop(at, f"{piece!r} closes nothing that is open")
        if wanted == "colon" or (wanted == "value" and top.items is None):
            raise _Stop(at, "a value is missing before this")
        if wanted != "comma" and (top.items or top.entries):
            self.flaws.append(Flaw(self.comma, "a comma with nothing after it"))
        self.pop()

    def pop(self) -> None:
        """Make a value of what is open innermost."""
        top = self.open.pop()
        if top.items is not None:
            self.add(ListValue(self.source, top.at, tuple(top.items)))
        else:
            self.add(ObjectValue(self.source, top.at, top.entries))

    def close_all(self) -> None:
        """Keep what was read before a mistake."""
        while self.open:
            self.pop()

    def add(self, node: Node) -> None:
        """Put *node* where a value is due."""
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        if top.items is not None:
            top.items.append(node)
        elif top.key:
            at, name = top.key.pop()
            if (before := top.entries.get(name.lower())) and before.name == name:
                self.flaws.append(Flaw(at, f"{name[:40]!r} stands twice in one object"))
            top.entries[name.lower()] = ObjectEntry(at, name, node)

    def plain(self, at: int, piece: str, kind: str | None) -> Scalar:
        """The value of a piece."""
        if kind == "text":
            return self.unquoted(at, piece)
        if kind == "word":
            return _WORDS[piece]
        if piece.lstrip("-").isdigit():
            return int(piece) if len(piece) <= 20 else float(piece)  # noqa: PLR2004 - 64 bits
        return float(piece)

    def unquoted(self, at: int, piece: str) -> str:
        """The text between quotes, which may go over several lines."""
        if "\\" not in piece:
            return piece[1:-1]
        try:
            text = str(json.loads(piece, strict=False))
        except json.JSONDecodeError as error:
            raise _Stop(at + error.pos, "this is no escape of JSON") from error
        return text.encode("utf-8", "replace").decode() if _HALF.search(text) else text
