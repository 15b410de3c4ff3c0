"""What ARM, Bicep and Terraform say, in one form: values, and expressions over them.

A tree as it was read has nodes of all kinds. A tree that was evaluated has values only, and
`Unknown` where nobody can say the value without deploying. Every node knows where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from imagebake.audit.source import Source

Plain = str | int | float | bool | None


class Literal(NamedTuple):
    """A text, a number, a truth value, or nothing."""

    source: Source
    at: int
    value: Plain


class Items(NamedTuple):
    """A list."""

    source: Source
    at: int
    items: tuple[Node, ...]


class Entry(NamedTuple):
    """One key of a table, as it is spelled, and what it has."""

    at: int
    name: str
    value: Node


class Table(NamedTuple):
    """An object; *entries* by their names in lower case, because ARM knows no other.

    *spread* is what else is poured into it, or has a key that only a deployment knows.
    """

    source: Source
    at: int
    entries: dict[str, Entry]
    spread: tuple[Node, ...] = ()


class Name(NamedTuple):
    """A name: a parameter, a variable, a resource."""

    source: Source
    at: int
    name: str


class Field(NamedTuple):
    """`base.name`."""

    source: Source
    at: int
    base: Node
    name: str


class Index(NamedTuple):
    """`base[key]`; without a key all of them, as Terraform's `base[*]`."""

    source: Source
    at: int
    base: Node
    key: Node | None


class Call(NamedTuple):
    """`name(arguments)`."""

    source: Source
    at: int
    name: str
    arguments: tuple[Node, ...]


class Operation(NamedTuple):
    """An operator and what it works on; `?:` has three operands."""

    source: Source
    at: int
    operator: str
    operands: tuple[Node, ...]


class Pieces(NamedTuple):
    """A text with expressions in it."""

    source: Source
    at: int
    parts: tuple[Node, ...]


class Loop(NamedTuple):
    """`for names in over: body`; *key* where it makes a table of Terraform's."""

    source: Source
    at: int
    names: tuple[str, ...]
    over: Node
    body: Node
    key: Node | None = None


class Unknown(NamedTuple):
    """What only a deployment knows: *text* is what stands there, *why* says what is missing."""

    source: Source
    at: int
    text: str
    why: str


class Either(NamedTuple):
    """One of several values: which, only a deployment knows."""

    source: Source
    at: int
    options: tuple[Node, ...]


Node = (
    Literal
    | Items
    | Table
    | Name
    | Field
    | Index
    | Call
    | Operation
    | Pieces
    | Loop
    | Unknown
    | Either
)


def entry(node: Node | None, *path: str) -> Node | None:
    """What *node* has at *path*, where all of it is tables."""
    for name in path:
        if not isinstance(node, Table) or (found := node.entries.get(name.lower())) is None:
            return None
        node = found.value
    return node


def entry_place(table: Node | None, name: str) -> int | None:
    """Where the key *name* of a table stands."""
    found = table.entries.get(name.lower()) if isinstance(table, Table) else None
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
    return node.options if isinstance(node, Either) else (node,)


def texts_of(node: Node | None) -> tuple[str, ...]:
    """Every text that *node* may be, in order."""
    found = (text_of(option) for option in options_of(node))
    return tuple(dict.fromkeys(text for text in found if text is not None))


def items_of(node: Node | None) -> Iterator[Node]:
    """The items of a list, of either of two lists, or the one thing that stands for a list."""
    for option in options_of(node):
        if isinstance(option, Items):
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
        if isinstance(found, Table):
            waiting += [*reversed([one.value for one in found.entries.values()]), *found.spread]
        elif isinstance(found, Items):
            waiting += reversed(found.items)
        elif isinstance(found, Either):
            waiting += reversed(found.options)
