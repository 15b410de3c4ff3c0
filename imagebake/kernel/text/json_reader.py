"""JSON with the position of each value, read as Azure Resource Manager reads it.

Templates may have comments and strings that span lines; a mistake does not hide the text
before it. Strict JSON is a subset, so that other files are read by the same reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

JsonScalar = str | int | float | bool | None
JsonPath = tuple[str | int, ...]

DEEPEST = 100
_SKIP = re.compile(r"(?:[\s\ufeff]+|//[^\n\r]*|/\*(?s:.*?)\*/)*")
_TOKEN = re.compile(
    r'(?P<text>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<mark>[{}\[\],:])'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.]))"
    r"|(?P<word>true|false|null)(?!\w)",
    re.DOTALL,
)
_HALF = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, JsonScalar] = {"true": True, "false": False, "null": None}


class Flaw(NamedTuple):
    """A mistake at an offset of a text."""

    at: int
    message: str


class JsonMember(NamedTuple):
    """A member of an object; *at* is the offset of its name."""

    at: int
    name: str
    value: JsonValue


class JsonValue(NamedTuple):
    """A value at an offset: a scalar, the items of an array, or the members of an object."""

    at: int
    content: JsonScalar | tuple[JsonValue, ...] | JsonObject


class JsonObject(NamedTuple):
    """The members of an object, in order; of a repeated name the last."""

    members: tuple[JsonMember, ...]


class JsonReading(NamedTuple):
    """The value of a text as far as it can be read, and the mistakes in it."""

    root: JsonValue | None
    flaws: tuple[Flaw, ...]


class _Open(NamedTuple):
    """An array or object that is not closed yet; *key* waits for its value."""

    at: int
    items: list[JsonValue] | None
    members: dict[str, JsonMember]
    key: list[tuple[int, str]]


class _Stop(Exception):
    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.flaw = Flaw(at, message)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of *offset*, counted from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def read_json(text: str, *, line_of: Callable[[int], int] | None = None) -> JsonReading:
    """Read *text*; everything before a mistake is kept.

    A missing or superfluous comma is a flaw, and reading goes on. *line_of* maps an offset to
    its line for messages; by default lines are counted from the start of *text*.
    """
    reader = _JsonReader(text, line_of or (lambda at: line_and_column(text, at)[0]))
    try:
        reader.run()
    except _Stop as stop:
        reader.flaws.append(stop.flaw)
        reader.close_all()
    return JsonReading(reader.root, tuple(reader.flaws))


def value_offsets(text: str) -> dict[JsonPath, int]:
    """Return the offset of every value of *text*, by its path."""
    root = read_json(text).root
    return dict(_offsets(root, ())) if root else {}


def _offsets(value: JsonValue, path: JsonPath) -> Iterator[tuple[JsonPath, int]]:
    yield path, value.at
    if isinstance(value.content, JsonObject):
        for member in value.content.members:
            yield from _offsets(member.value, (*path, member.name))
    elif isinstance(value.content, tuple):
        for number, item in enumerate(value.content):
            yield from _offsets(item, (*path, number))


class _JsonReader:
    """Reads without recursion, so that a deeply nested hostile file cannot exhaust the stack."""

    def __init__(self, text: str, line_of: Callable[[int], int]) -> None:
        self.text = text
        self.line_of = line_of
        self.root: JsonValue | None = None
        self.flaws: list[Flaw] = []
        self.open: list[_Open] = []
        self.comma = 0

    def run(self) -> None:
        """Read the single value of the text."""
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
        """Accept the token *piece* where *wanted* is due; return what is due after it."""
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
        self.add(JsonValue(at, self.plain(at, piece, kind)))
        return "comma"

    def skip(self, at: int) -> int:
        """Return the offset after blanks and comments."""
        match = _SKIP.match(self.text, at)
        return match.end() if match else at

    def strange(self, at: int) -> None:
        """Report text that is no token; the end of the text is fine when nothing is open."""
        if at >= len(self.text):
            if self.open:
                kind = "list" if self.open[-1].items is not None else "object"
                line = self.line_of(self.open[-1].at)
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
        """Accept the name of a member."""
        if kind != "text":
            raise _Stop(at, f"a name in double quotes is missing before {piece[:20]!r}")
        self.open[-1].key.append((at, self.unquoted(at, piece)))
        return "colon"

    def push(self, at: int, piece: str) -> None:
        """Open an array or an object."""
        if len(self.open) >= DEEPEST:
            raise _Stop(at, f"this is nested more than {DEEPEST} deep")
        self.open.append(_Open(at, [] if piece == "[" else None, {}, []))

    def close(self, at: int, piece: str, wanted: str) -> None:
        """Close the innermost array or object, if *piece* fits it."""
        top = self.open[-1] if self.open else None
        if top is None or (piece == "]") != (top.items is not None):
            raise _Stop(at, f"{piece!r} closes nothing that is open")
        if wanted == "colon" or (wanted == "value" and top.items is None):
            raise _Stop(at, "a value is missing before this")
        if wanted != "comma" and (top.items or top.members):
            self.flaws.append(Flaw(self.comma, "a comma with nothing after it"))
        self.pop()

    def pop(self) -> None:
        """Turn the innermost open array or object into a value."""
        top = self.open.pop()
        content = JsonObject(tuple(top.members.values())) if top.items is None else tuple(top.items)
        self.add(JsonValue(top.at, content))

    def close_all(self) -> None:
        """Close everything, to keep what was read before a mistake."""
        while self.open:
            self.pop()

    def add(self, value: JsonValue) -> None:
        """Put *value* where it is due."""
        if not self.open:
            self.root = value
            return
        top = self.open[-1]
        if top.items is not None:
            top.items.append(value)
        elif top.key:
            at, name = top.key.pop()
            if name in top.members:
                self.flaws.append(Flaw(at, f"{name[:40]!r} stands twice in one object"))
            top.members.pop(name, None)
            top.members[name] = JsonMember(at, name, value)

    def plain(self, at: int, piece: str, kind: str | None) -> JsonScalar:
        """Return the value of a token."""
        if kind == "text":
            return self.unquoted(at, piece)
        if kind == "word":
            return _WORDS[piece]
        if piece.lstrip("-").isdigit():
            return int(piece) if len(piece) <= 20 else float(piece)  # noqa: PLR2004 - 64 bits
        return float(piece)

    def unquoted(self, at: int, piece: str) -> str:
        """Return the text of a quoted token, which may span lines."""
        if "\\" not in piece:
            return piece[1:-1]
        try:
            text = str(json.loads(piece, strict=False))
        except json.JSONDecodeError as error:
            raise _Stop(at + error.pos, "this is no escape of JSON") from error
        return text.encode("utf-8", "replace").decode() if _HALF.search(text) else text
