"""Nodes of ARM, Bicep and Terraform in one form: values, and expressions over them.

A parsed tree has nodes of all kinds. An evaluated tree has values only, and `UnknownValue`
for what only a deployment can know. Every node has its source and its offset *at* there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from imagebake.audit.source import SourceText
from imagebake.kernel.text.json_reader import Flaw, JsonObject, JsonValue
from imagebake.kernel.text.json_reader import read_json as read_json_text

Scalar = str | int | float | bool | None


class Literal(NamedTuple):
    """A string, a number, a boolean, or null."""

    source: SourceText
    at: int
    value: Scalar


class ListValue(NamedTuple):
    """A list."""

    source: SourceText
    at: int
    items: tuple[Node, ...]


class ObjectEntry(NamedTuple):
    """A key of an object, as it is spelled, and its value."""

    at: int
    name: str
    value: Node


class ObjectValue(NamedTuple):
    """An object; *entries* by their keys in lower case, because ARM ignores case.

    *spread* holds values that are merged into it, and values whose key is not known.
    """

    source: SourceText
    at: int
    entries: dict[str, ObjectEntry]
    spread: tuple[Node, ...] = ()


class Identifier(NamedTuple):
    """The name of a parameter, variable or resource."""

    source: SourceText
    at: int
    name: str


class MemberAccess(NamedTuple):
    """`base.name`."""

    source: SourceText
    at: int
    base: Node
    name: str


class IndexAccess(NamedTuple):
    """`base[key]`; without a key every element, as in Terraform's `base[*]`."""

    source: SourceText
    at: int
    base: Node
    key: Node | None


class FunctionCall(NamedTuple):
    """`name(arguments)`."""

    source: SourceText
    at: int
    name: str
    arguments: tuple[Node, ...]


class OperatorExpression(NamedTuple):
    """An operator and its operands; `?:` has three."""

    source: SourceText
    at: int
    operator: str
    operands: tuple[Node, ...]


class Interpolation(NamedTuple):
    """A string with expressions in it."""

    source: SourceText
    at: int
    parts: tuple[Node, ...]


class ForExpression(NamedTuple):
    """`for names in over: body`; *key* where it makes a Terraform object."""

    source: SourceText
    at: int
    names: tuple[str, ...]
    over: Node
    body: Node
    key: Node | None = None


class UnknownValue(NamedTuple):
    """A value that only a deployment knows: *text* is its source, *why* the reason."""

    source: SourceText
    at: int
    text: str
    why: str


class OneOf(NamedTuple):
    """One of several values; only a deployment knows which."""

    source: SourceText
    at: int
    options: tuple[Node, ...]


Node = (
    Literal
    | ListValue
    | ObjectValue
    | Identifier
    | MemberAccess
    | IndexAccess
    | FunctionCall
    | OperatorExpression
    | Interpolation
    | ForExpression
    | UnknownValue
    | OneOf
)


def lookup(node: Node | None, *path: str) -> Node | None:
    """Return the value at *path* below *node*; None where an object or key is missing."""
    for name in path:
        if not isinstance(node, ObjectValue) or (found := node.entries.get(name.lower())) is None:
            return None
        node = found.value
    return node


def key_offset(table: Node | None, name: str) -> int | None:
    """Return the offset of the key *name* of an object."""
    found = table.entries.get(name.lower()) if isinstance(table, ObjectValue) else None
    return found.at if found else None


def text_of(node: Node | None) -> str | None:
    """Return a string or number as text; None for any other node."""
    if not isinstance(node, Literal) or node.value is None or isinstance(node.value, bool):
        return None
    return str(node.value)


def options_of(node: Node | None) -> tuple[Node, ...]:
    """Return the values that *node* may have."""
    if node is None:
        return ()
    return node.options if isinstance(node, OneOf) else (node,)


def texts_of(node: Node | None) -> tuple[str, ...]:
    """Return every text that *node* may be, in order."""
    found = (text_of(option) for option in options_of(node))
    return tuple(dict.fromkeys(text for text in found if text is not None))


def items_of(node: Node | None) -> Iterator[Node]:
    """Yield the items of a list, of each optional list, or the single value in place of a list."""
    for option in options_of(node):
        if isinstance(option, ListValue):
            for item in option.items:
                yield from options_of(item)
        elif not (isinstance(option, Literal) and option.value is None):
            yield option


def walk(node: Node, most: int = 20_000) -> Iterator[Node]:
    """Yield *node* and the values inside it, outermost first; no more than *most* of them."""
    waiting = [node]
    while waiting and most:
        most -= 1
        found = waiting.pop()
        yield found
        if isinstance(found, ObjectValue):
            waiting += [
                *reversed([member.value for member in found.entries.values()]),
                *found.spread,
            ]
        elif isinstance(found, ListValue):
            waiting += reversed(found.items)
        elif isinstance(found, OneOf):
            waiting += reversed(found.options)


class ParsedJson(NamedTuple):
    """The value of a JSON document as far as it can be read, and the mistakes in it."""

    root: Node | None
    flaws: tuple[Flaw, ...]


def read_json(source: SourceText) -> ParsedJson:
    """Read a JSON document; everything before a mistake is kept."""
    reading = read_json_text(source.text, line_of=lambda at: source.position(at)[0])
    root = reading.root
    return ParsedJson(None if root is None else _from_json(root, source), reading.flaws)


def _from_json(value: JsonValue, source: SourceText) -> Node:
    content = value.content
    if isinstance(content, JsonObject):
        entries = {
            member.name.lower(): ObjectEntry(
                member.at, member.name, _from_json(member.value, source)
            )
            for member in content.members
        }
        return ObjectValue(source, value.at, entries)
    if isinstance(content, tuple):
        return ListValue(source, value.at, tuple(_from_json(item, source) for item in content))
    return Literal(source, value.at, content)
