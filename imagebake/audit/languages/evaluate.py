"""What expressions come to, as far as anybody can say without deploying them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import ClassVar

from imagebake.audit.languages.nodes import (
    Call,
    Either,
    Entry,
    Field,
    Index,
    Items,
    Literal,
    Loop,
    Name,
    Node,
    Operation,
    Pieces,
    Table,
    Unknown,
)
from imagebake.audit.languages.values import (
    compared,
    each,
    either,
    element,
    joined,
    member,
    truth,
    turns,
    unknown,
)

DEEPEST = 100
STEPS = 500_000
_TURNS = 50

Function = Callable[[Call, tuple[Node, ...]], Node | None]
"""What a call with evaluated arguments comes to; None where the function cannot say."""


class Budget:
    """How much may still be worked out, for all the scopes that share it."""

    def __init__(self) -> None:
        self.left = STEPS


class Scope:
    """What names and calls mean at a place; who extends it says what its language has.

    *gaps* are the loops of which nobody knows how often they go round.
    """

    functions: ClassVar[Mapping[str, Function]] = {}

    def __init__(self) -> None:
        self.depth = 0
        self.budget = Budget()
        self.bound: list[dict[str, Node]] = []
        self.gaps: list[Unknown] = []
        self.known: dict[Hashable, Node] = {}
        self.open: set[Hashable] = set()

    def once(self, node: Node, place: Hashable, spoken: str, raw: Node) -> Node:
        """The value of *raw*, declared at *place*, worked out once and where nothing is bound."""
        if place in self.known:
            return self.known[place]
        if place in self.open:
            return unknown(node, f"{spoken} goes round in a circle")
        self.open.add(place)
        bound, self.bound = self.bound, []
        value = evaluate(raw, self)
        self.bound = bound
        self.open.discard(place)
        if self.settled:
            self.known[place] = value
        return value

    @property
    def settled(self) -> bool:
        """Whether what is worked out now is whole: inside another, a circle may cut it short."""
        return not self.open

    def named(self, node: Name) -> Node:
        """What a name means."""
        for names in reversed(self.bound):
            if node.name in names:
                return names[node.name]
        return unknown(node, f"{node.name!r} is not known here")

    def literal(self, node: Literal) -> Node:
        """What a text means: itself, but for those of ARM in brackets."""
        return node

    def table(self, node: Table) -> Table:
        """A table with what its language adds to it."""
        return node

    def field(self, _: Field) -> Node | None:
        """What `base.name` means, where the language gives it a meaning as a whole."""
        return None

    def call(self, node: Call) -> Node:
        """What a call comes to."""
        arguments = tuple(evaluate(one, self) for one in node.arguments)
        function = self.functions.get(node.name.lower())
        if function is None:
            return unknown(node, f"only a deployment can call {node.name}()")
        return each(node, arguments, lambda chosen: function(node, chosen))


def evaluate(node: Node, scope: Scope) -> Node:
    """The value of *node* in *scope*: no tree that is left has an expression in it."""
    scope.budget.left -= 1
    if scope.depth >= DEEPEST or scope.budget.left < 0:
        return unknown(node, "it is too long a story")
    scope.depth += 1
    try:
        return _KINDS[type(node)](node, scope)
    finally:
        scope.depth -= 1


def _literal(node: Literal, scope: Scope) -> Node:
    return scope.literal(node) if isinstance(node.value, str) else node


def _items(node: Items, scope: Scope) -> Node:
    found: list[Node] = []
    for item in node.items:
        if isinstance(item, Operation) and item.operator == "...":
            poured = evaluate(item.operands[0], scope)
            found += poured.items if isinstance(poured, Items) else (poured,)
        else:
            found.append(evaluate(item, scope))
    return Items(node.source, node.at, tuple(found))


def _table(node: Table, scope: Scope) -> Node:
    node = scope.table(node)
    entries: dict[str, Entry] = {}
    left: list[Node] = []
    for spread in node.spread:
        poured = evaluate(spread, scope)
        if isinstance(poured, Table):
            entries |= poured.entries
            left += poured.spread
        elif not (isinstance(poured, Literal) and poured.value is None):
            left.append(poured)
    for key, entry in node.entries.items():
        entries[key] = Entry(entry.at, entry.name, evaluate(entry.value, scope))
    return Table(node.source, node.at, entries, tuple(left))


def _name(node: Name, scope: Scope) -> Node:
    return scope.named(node)


def _field(node: Field, scope: Scope) -> Node:
    found = scope.field(node)
    if found is not None:
        return found
    base = evaluate(node.base, scope)
    return each(node, (base,), lambda chosen: member(node, chosen[0], node.name))


def _index(node: Index, scope: Scope) -> Node:
    base = evaluate(node.base, scope)
    if node.key is None:
        return base if isinstance(base, Items | Unknown) else Items(node.source, node.at, (base,))
    key = evaluate(node.key, scope)
    return each(node, (base, key), lambda chosen: element(node, *chosen))


def _call(node: Call, scope: Scope) -> Node:
    return scope.call(node)


def _pieces(node: Pieces, scope: Scope) -> Node:
    parts = tuple(evaluate(part, scope) for part in node.parts)
    return each(node, parts, lambda chosen: joined(node, chosen))


def _operation(node: Operation, scope: Scope) -> Node:
    if node.operator == "?:":
        return choice(node, node.operands, scope)
    if node.operator == "??":
        return _first(node, scope)
    if node.operator == "if":
        return evaluate(node.operands[1], scope)
    operands = tuple(evaluate(one, scope) for one in node.operands)
    return each(node, operands, lambda chosen: _worked_out(node, chosen))


def choice(node: Node, operands: Sequence[Node], scope: Scope) -> Node:
    """`condition ? yes : no`; both where the condition is unknown."""
    known = truth(evaluate(operands[0], scope))
    if known is not None:
        return evaluate(operands[1 if known else 2], scope)
    return either(node, [evaluate(one, scope) for one in operands[1:]])


def _first(node: Operation, scope: Scope) -> Node:
    left = evaluate(node.operands[0], scope)
    if isinstance(left, Literal) and left.value is None:
        return evaluate(node.operands[1], scope)
    if isinstance(left, Unknown):
        return either(node, [evaluate(node.operands[1], scope), left])
    return left


def _worked_out(node: Operation, values: tuple[Node, ...]) -> Node | None:
    known = [value.value for value in values if isinstance(value, Literal)]
    if node.operator in {"&&", "||"}:
        stops = node.operator == "||"
        if any(truth(value) is stops for value in values):
            return Literal(node.source, node.at, stops)
        if all(truth(value) is (not stops) for value in values):
            return Literal(node.source, node.at, not stops)
        return None
    if len(known) != len(values):
        return None
    result = compared(node.operator, known)
    return None if result is None else Literal(node.source, node.at, result)


def _loop(node: Loop, scope: Scope) -> Node:
    """A list of what the body comes to; one of it, for all, where it is not known what over."""
    over = evaluate(node.over, scope)
    rounds = turns(over)
    if rounds is None or len(rounds) > _TURNS:
        why = over.why if isinstance(over, Unknown) else "it goes over what is not worked out"
        here = unknown(node.over, why)
        scope.gaps.append(here)
        rounds = [(here, here)]
    found = []
    for key, value in rounds:
        scope.bound.append(dict(zip(reversed(node.names), (value, key), strict=False)))
        found.append(evaluate(node.body, scope))
        scope.bound.pop()
    return Items(node.source, node.at, tuple(found))


def _itself(node: Node, _: Scope) -> Node:
    return node


_KINDS: dict[type, Callable[..., Node]] = {
    Literal: _literal,
    Items: _items,
    Table: _table,
    Name: _name,
    Field: _field,
    Index: _index,
    Call: _call,
    Operation: _operation,
    Pieces: _pieces,
    Loop: _loop,
    Unknown: _itself,
    Either: _itself,
}
