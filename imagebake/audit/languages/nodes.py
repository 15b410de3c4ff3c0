"""What ARM, Bicep and Terraform say, in one form: values, and expressions over them.

A tree as it was read has nodes of all kinds. A tree that was evaluated has values only, and
`UnknownValue` where nobody can say the value without deploying. Every node knows where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from imagebake.audit.source import SourceText

Scalar = str | int | float | bool | None


class Literal(NamedTuple):
    """A text, a number, a truth value, or nothing."""

    source: SourceText
    at: int
    value: Scalar


class ListValue(NamedTuple):
    """A list."""

    source: SourceText
    at: int
    items: tuple[Node, ...]


class ObjectEntry(NamedTuple):
    """One key of a table, as it is spelled, and what it has."""

    at: int
    name: str
    value: Node


class ObjectValue(NamedTuple):
    """An object; *entries* by their names in lower case, because ARM knows no other.

    *spread* is what else is poured into it, or has a key that only a deployment knows.
    """

    source: SourceText
    at: int
    entries: dict[str, ObjectEntry]
    spread: tuple[Node, ...] = ()


class Identifier(NamedTuple):
    """A name: a parameter, a variable, a resource."""

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
    """`base[key]`; without a key all of them, as Terraform's `base[*]`."""

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
    """An operator and what it works on; `?:` has three operands."""

    source: SourceText
    at: int
    operator: str
    operands: tuple[Node, ...]


class Interpolation(NamedTuple):
    """A text with expressions in it."""

    source: SourceText
    at: int
    parts: tuple[Node, ...]


class ForExpression(NamedTuple):
    """`for names in over: body`; *key* where it makes a table of Terraform's."""

    source: SourceText
    at: int
    names: tuple[str, ...]
    over: Node
    body: Node
    key: Node | None = None


class UnknownValue(NamedTuple):
    """What only a deployment knows: *text* is what stands there, *why* says what is missing."""

    source: SourceText
    at: int
    text: str
    why: str


class OneOf(NamedTuple):
    """One of several values: which, only a deployment knows."""

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
    """What *node* has at *path*, where all of it is tables."""
    for name in path:
        if not isinstance(node, ObjectValue) or (found := node.entries.get(name.lower())) is None:
            return None
        node = found.value
    return node


def key_offset(table: Node | None, name: str) -> int | None:
    """Where the key *name* of a table stands."""
    found = table.entries.get(name.lower()) if isinstance(table, ObjectValue) else None
    return found.at if found else None


def text_of(node: Node | None) -> str | None:
    """The text or number that *node* is, as a text; else None."""
    if not isinstance(node, Literal) or node.value is None or isinstance(node.value, bool):
        return None
    return str(node.value)


def options_of(node: Node | None) -> tuple[Node, ...]:
    """The values that *node* may have."""
    if node is None:
        return ()
    return node.options if isinstance(node, OneOf) else (node,)


def texts_of(node: Node | None) -> tuple[str, ...]:
    """Every text that *node* may be, in order."""
    found = (text_of(option) for option in options_of(node))
    return tuple(dict.fromkeys(text for text in found if text is not None))


def items_of(node: Node | None) -> Iterator[Node]:
    """The items of a list, of either of two lists, or the one thing that stands for a list."""
    for option in options_of(node):
        if isinstance(option, ListValue):
            for item in option.items:
                yield from options_of(item)
        elif not (isinstance(option, Literal) and option.value is None):
            yield option


def walk(node: Node, most: int = 20_000) -> Iterator[Node]:
    """*node* and the values inside it, outermost first; no more than *most* of them."""
    waiting = [node]
    while waiting and most:
        most -= 1
        found = waiting.pop()
        yield found
        if isinstance(found, ObjectValue):
            waiting += [*reversed([one.value for one in found.entries.values()]), *found.spread]
        elif isinstance(found, ListValue):
            waiting += reversed(found.items)
        elif isinstance(found, OneOf):
            waiting += reversed(found.options)
