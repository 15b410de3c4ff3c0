"""Read strict YAML into a tree, and report every mistake in it with its position.

Only YAML's plain subset is read: no anchors, aliases, merge keys, tags, directives or second
documents, no key twice. The tree is built from a parser's events. Two parsers supply them:
libyaml, where PyYAML has it, reads a file seven times as fast; the one in Python is asked
whenever there is anything to complain about, because only its messages and positions are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.text.constrained import quoted
from imagebake.spec import codes
from imagebake.spec.codes import Code
from imagebake.spec.yaml.nodes import (
    BrokenNode,
    Position,
    YamlEntry,
    YamlMapping,
    YamlNode,
    YamlScalar,
    YamlSequence,
    YamlSource,
    resolve_scalar,
)

_ANGLES = re.compile(r"'?<([a-z ]+)>'?")


@dataclass(frozen=True, slots=True)
class _Cause:
    """A message for problems that begin with *problem*; *at_start* points to the opening mark."""

    problem: str
    message: str
    hint: str
    at_start: bool = False


_CAUSES = (
    _Cause(
        "could not find expected ':'",
        "this line is neither a key with its ':' nor part of a value",
        "write 'key: value', with a space after the colon",
        at_start=True,
    ),
    _Cause(
        "found unexpected end of stream",
        "this quote is not closed",
        "close it, or take both quotes away",
        at_start=True,
    ),
    _Cause(
        "found unexpected document separator",
        "this quote is not closed",
        "close it, or take both quotes away",
        at_start=True,
    ),
    _Cause("expected ',' or ']'", "this '[' is not closed", "close it with ']'", at_start=True),
    _Cause("expected ',' or '}'", "this '{' is not closed", "close it with '}'", at_start=True),
    _Cause(
        "expected <block end>",
        "this line is not indented as the lines that it belongs to",
        "give the keys of one mapping, and the items of one list, the same indentation",
    ),
    _Cause(
        "sequence entries are not allowed here",
        "a list cannot begin here",
        "begin it in a line of its own",
    ),
    _Cause(
        "block sequence entries are not allowed",
        "a list cannot begin here",
        "begin it in a line of its own",
    ),
    _Cause(
        "found unknown escape character",
        "a backslash in double quotes begins an escape, and this is none",
        "use single quotes, in which a backslash is a backslash",
    ),
    _Cause(
        "expected '<document start>'",
        "the document has ended above this line",
        "take the '...' away",
    ),
    _Cause(
        "expected the node content",
        "a value is missing here",
        "write it, or take the line away",
    ),
)
_CANNOT_START = re.compile(r"found character (.+) that cannot start any token", re.DOTALL)


def explain(error: yaml.YAMLError, here: Position) -> Diagnostic:
    """Return the diagnostic for *error*; *here* is where the scanner stopped."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return here.complaint(codes.SYNTAX, "this is not YAML")
    problem = error.problem or "this is not YAML"
    place = _place(here, error.problem_mark)
    if match := _CANNOT_START.match(problem):
        if match[1] == r"'\t'":
            return place.complaint(codes.TAB, "a tab stands between two words", "use spaces")
        message = f"an unquoted value cannot begin with {match[1]}"
        return place.complaint(codes.SYNTAX, message, "put the value in quotes")
    if problem == "mapping values are not allowed here":
        return _misplaced_colon(place)
    for cause in _CAUSES:
        if problem.startswith(cause.problem):
            if cause.at_start:
                place = _place(here, error.context_mark or error.problem_mark)
            return place.complaint(codes.SYNTAX, cause.message, cause.hint)
    context = f"{error.context}: " if error.context else ""
    return place.complaint(codes.SYNTAX, _ANGLES.sub(r"\1", f"{context}{problem}"))


def _misplaced_colon(place: Position) -> Diagnostic:
    """Explain why a mapping cannot begin at the colon at *place*."""
    if ": " in place.source.line(place.line)[: place.column - 1]:
        return place.complaint(
            codes.SYNTAX, "a value cannot hold a ': '", "put the whole value in quotes"
        )
    return place.complaint(
        codes.SYNTAX,
        "a mapping cannot begin here: this line continues the value above it",
        "mend the indentation, or the line above",
    )


def _place(here: Position, mark: yaml.Mark | None) -> Position:
    if mark is None:
        return here
    lines = max(1, len(here.source.lines))
    line = min(mark.line + 1, lines)
    column = mark.column + 1 if mark.line + 1 <= lines else 1
    return Position(here.source, line, column)


MAX_DEPTH = 64
_INSTEAD_OF_ANCHORS = "what images share goes into an include: extends: base/debian.yaml"
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"[^\s,\[\]{}]+")

# What libyaml accepts and the parser in Python refuses: a tab between two words, and a comment
# that touches the mark of a block scalar.
_LIBYAML_IS_LAX = re.compile(r"\t|[|>][-+0-9]*#")


class _Events(Reader, Scanner, Parser):
    """PyYAML's parser without the stages that build objects."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def here(self, source: YamlSource) -> Position:
        """Return how far the scanner has come."""
        mark = self.get_mark()
        return Position(source, mark.line + 1, mark.column + 1)


class _Parser(Protocol):
    def get_event(self) -> yaml.Event | None: ...


def read(
    text: str, source: YamlSource, *, libyaml: bool = yaml.__with_libyaml__
) -> tuple[YamlNode | None, list[Diagnostic]]:
    """Return the tree of *text*, which `decode` accepted, and the mistakes in it.

    The tree is None where the text is empty or a mistake hides the rest of it.
    """
    if libyaml and (root := _read_correct(text, source)) is not None:
        return root, []
    events = _Events(text)
    builder = _Builder(events, source)
    try:
        return builder.document(), builder.wrong
    except _TooDeepError as error:
        builder.wrong.append(error.diagnostic)
    except yaml.YAMLError as error:
        builder.wrong.append(explain(error, events.here(source)))
    except (ValueError, OverflowError):
        # PyYAML passes the number in an escape or in %YAML to Python as it stands.
        message = "a number or an escape here is out of range"
        builder.wrong.append(events.here(source).complaint(codes.SYNTAX, message))
    return None, builder.wrong


def _read_correct(text: str, source: YamlSource) -> YamlMapping | None:
    """Return the tree that libyaml reads in *text*; None where Python has to decide."""
    if _LIBYAML_IS_LAX.search(text):
        return None
    builder = _Builder(yaml.CSafeLoader(text), source)
    try:
        root = builder.document()
    except (yaml.YAMLError, _TooDeepError, ValueError):
        return None
    # A document that is no mapping is a mistake, and libyaml places an empty one elsewhere.
    return root if isinstance(root, YamlMapping) and not builder.wrong else None


class _TooDeepError(Exception):
    """The nesting limit was exceeded; nothing below it is read."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__()
        self.diagnostic = diagnostic


class _Builder:
    def __init__(self, events: _Parser, source: YamlSource) -> None:
        self.events = events
        self.source = source
        self.wrong: list[Diagnostic] = []
        self.depth = 0

    def next(self) -> yaml.Event:
        event = self.events.get_event()
        assert event is not None  # noqa: S101 - the builder stops before the stream does
        return event

    def document(self) -> YamlNode | None:
        self.next()
        start = self.next()
        if isinstance(start, yaml.StreamEndEvent):
            return None
        if isinstance(start, yaml.DocumentStartEvent) and (start.version or start.tags):
            self._complain(self._place(start), codes.TAG, "YAML directives are not used here")
        root = self._node(self.next())
        self.next()
        after = self.next()
        if isinstance(after, yaml.DocumentStartEvent):
            self._complain(
                self._place(after),
                codes.DOCUMENTS,
                "a second document begins here",
                "give it a file of its own",
            )
        return root

    def _node(self, event: yaml.Event) -> YamlNode:
        place = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, place)
        assert isinstance(event, yaml.CollectionStartEvent)  # noqa: S101 - the parser's grammar
        if event.anchor is not None or event.tag is not None:
            self._properties(event, place)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            message = f"this is nested more than {MAX_DEPTH} levels deep"
            raise _TooDeepError(place.complaint(codes.TOO_DEEP, message))
        sequence = isinstance(event, yaml.SequenceStartEvent)
        node = self._sequence(place) if sequence else self._mapping(place)
        self.depth -= 1
        return node

    def _scalar(self, event: yaml.ScalarEvent, place: Position) -> YamlScalar | BrokenNode:
        if event.anchor is not None or event.tag is not None:
            self._properties(event, place)
            if event.tag is not None:
                return BrokenNode(place)
        text: str = event.value
        if not event.style:  # None in Python, empty in libyaml
            return YamlScalar(place, text, resolve_scalar(text))
        if event.style == '"' and _SURROGATE.search(text):
            try:
                text = text.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                self._complain(place, codes.NOT_TEXT, "an escape in this text is half a character")
                return BrokenNode(place)
        return YamlScalar(place, text, text, plain=False)

    def _sequence(self, place: Position) -> YamlSequence:
        items = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            items.append(self._present(self._node(event), "this item"))
        return YamlSequence(place, tuple(items))

    def _mapping(self, place: Position) -> YamlMapping:
        entries: dict[str, YamlEntry] = {}
        whole = True
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            key = self._node(event)
            value = self._node(self.next())
            if not isinstance(key, YamlScalar):
                self._not_a_key(key)
                whole = False
            elif key.text == "<<" and key.plain:
                self._complain(
                    key.place, codes.ALIAS, "merge keys are not used here", _INSTEAD_OF_ANCHORS
                )
                whole = False
            elif first := entries.get(key.text):
                self._twice(key, first.key)
            else:
                value = self._present(value, quoted(key.text), key)
                entries[key.text] = YamlEntry(key, value)
        return YamlMapping(place, entries, whole)

    def _present(self, value: YamlNode, name: str, key: YamlScalar | None = None) -> YamlNode:
        """Return *value*, or a broken node where it is empty: an empty key is a mistake."""
        if not isinstance(value, YamlScalar) or value.value is not None:
            return value
        place = key.place if key and not value.text else value.place
        hint = "give it one, or take the line away"
        self._complain(place, codes.WRONG_KIND, f"{name} has no value", hint)
        return BrokenNode(value.place)

    def _not_a_key(self, key: YamlNode) -> None:
        if not isinstance(key, BrokenNode):
            what = "a list" if isinstance(key, YamlSequence) else "a mapping"
            self._complain(key.place, codes.KEY_KIND, f"{what} cannot be a key")

    def _twice(self, key: YamlScalar, first: YamlScalar) -> None:
        self._complain(
            key.place,
            codes.TWICE_THE_KEY,
            f"the key {quoted(key.text)} stands twice in this mapping",
            f"it stands in line {first.place.line} already",
        )

    def _alias(self, event: yaml.AliasEvent, place: Position) -> BrokenNode:
        self._complain(
            place, codes.ALIAS, f"the alias '*{event.anchor}' is not used here", _INSTEAD_OF_ANCHORS
        )
        return BrokenNode(place)

    def _properties(
        self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, place: Position
    ) -> None:
        """Report the anchor and the tag before a value."""
        for word in self._words(place, 1 + (event.anchor is not None and event.tag is not None)):
            if word[0].startswith("&"):
                message = f"the anchor {word[0]!r} is not used here"
                self._complain(word[1], codes.ALIAS, message, _INSTEAD_OF_ANCHORS)
            else:
                message = f"the tag {word[0]!r} is not used here"
                self._complain(
                    word[1], codes.TAG, message, "a text that looks like a number goes in quotes"
                )

    def _words(self, place: Position, count: int) -> Iterator[tuple[str, Position]]:
        line = place.source.line(place.line)
        for match in list(_WORD.finditer(line, place.column - 1))[:count]:
            yield (
                match[0],
                place._replace(column=match.start() + 1, width=len(match[0])),
            )

    def _place(self, event: yaml.Event) -> Position:
        start, end = event.start_mark, event.end_mark
        assert start is not None and end is not None  # noqa: S101, PT018 - text has marks
        line = start.line + 1
        last = end.column if end.line == start.line else len(self.source.line(line))
        return Position(self.source, line, start.column + 1, max(1, last - start.column))

    def _complain(self, place: Position, code: Code, message: str, hint: str | None = None) -> None:
        self.wrong.append(place.complaint(code, message, hint))
