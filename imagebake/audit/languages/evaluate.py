"""What expressions come to, as far as anybody can say without deploying them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import ClassVar

from imagebake.audit.languages.nodes import (
    ForExpression,
    FunctionCall,
    Identifier,
    IndexAccess,
    Interpolation,
    ListValue,
    Literal,
    MemberAccess,
    Node,
    ObjectEntry,
    ObjectValue,
    OneOf,
    OperatorExpression,
    UnknownValue,
)
from imagebake.audit.languages.values import (
    apply_operator,
    apply_to_options,
    as_bool,
    concatenate,
    get_element,
    get_member,
    iterations,
    make_unknown,
    one_of,
)

DEPTH_MAX = 100
STEPS_MAX = 500_000
_TURNS = 50

Function = Callable[[FunctionCall, tuple[Node, ...]], Node | None]
"""What a call with evaluated arguments comes to; None where the function cannot say."""


class EvaluationBudget:
    """How much may still be worked out, for all the scopes that share it."""

    def __init__(self) -> None:
        self.left = STEPS_MAX


class EvaluationScope:
    """What names and calls mean at a place; who extends it says what its language has.

    *gaps* are the loops of which nobody knows how often they go round.
    """

    functions: ClassVar[Mapping[str, Function]] = {}

    def __init__(self) -> None:
        self.depth = 0
        self.budget = EvaluationBudget()
        self.bound: list[dict[str, Node]] = []
        self.gaps: list[UnknownValue] = []
        self.known: dict[Hashable, Node] = {}
        self.open: set[Hashable] = set()

    def once(self, node: Node, place: Hashable, spoken: str, raw: Node) -> Node:
        """The value of *raw*, declared at *place*, worked out once and where nothing is bound."""
        if place in self.known:
            return self.known[place]
        if place in self.open:
            return make_unknown(node, f"{spoken} goes round in a circle")
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

    def named(self, node: Identifier) -> Node:
        """What a name means."""
        for names in reversed(self.bound):
            if node.name in names:
                return names[node.name]
        return make_unknown(node, f"{node.name!r} is not known here")

    def literal(self, node: Literal) -> Node:
        """What a text means: itself, but for those of ARM in brackets."""
        return node

    def table(self, node: ObjectValue) -> ObjectValue:
        """A table with what its language adds to it."""
        return node

    def field(self, _: MemberAccess) -> Node | None:
        """What `base.name` means, where the language gives it a meaning as a whole."""
        return None

    def call(self, node: FunctionCall) -> Node:
        """What a call comes to."""
        arguments = tuple(evaluate(one, self) for one in node.arguments)
        function = self.functions.get(node.name.lower())
        if function is None:
            return make_unknown(node, f"only a deployment can call {node.name}()")
        return apply_to_options(node, arguments, lambda chosen: function(node, chosen))


def evaluate(node: Node, scope: EvaluationScope) -> Node:
    """The value of *node* in *scope*: no tree that is left has an expression in it."""
    scope.budget.left -= 1
    if scope.depth >= DEPTH_MAX or scope.budget.left < 0:
        return make_unknown(node, "it is too long a story")
    scope.depth += 1
    try:
        return _KINDS[type(node)](node, scope)
    finally:
        scope.depth -= 1


def _literal(node: Literal, scope: EvaluationScope) -> Node:
    return scope.literal(node) if isinstance(node.value, str) else node


def _items(node: ListValue, scope: EvaluationScope) -> Node:
    found: list[Node] = []
    for item in node.items:
        if isinstance(item, OperatorExpression) and item.operator == "...":
            poured = evaluate(item.operands[0], scope)
            found += poured.items if isinstance(poured, ListValue) else (poured,)
        else:
            found.append(evaluate(item, scope))
    return ListValue(node.source, node.at, tuple(found))


def _table(node: ObjectValue, scope: EvaluationScope) -> Node:
    node = scope.table(node)
    entries: dict[str, ObjectEntry] = {}
    left: list[Node] = []
    for spread in node.spread:
        poured = evaluate(spread, scope)
        if isinstance(poured, ObjectValue):
            entries |= poured.entries
            left += poured.spread
        elif not (isinstance(poured, Literal) and poured.value is None):
            left.append(poured)
    for key, entry in node.entries.items():
        entries[key] = ObjectEntry(entry.at, entry.name, evaluate(entry.value, scope))
    return ObjectValue(node.source, node.at, entries, tuple(left))


def _name(node: Identifier, scope: EvaluationScope) -> Node:
    return scope.named(node)


def _field(node: MemberAccess, scope: EvaluationScope) -> Node:
    found = scope.field(node)
    if found is not None:
        return found
    base = evaluate(node.base, scope)
    return apply_to_options(node, (base,), lambda chosen: get_member(node, chosen[0], node.name))


def _index(node: IndexAccess, scope: EvaluationScope) -> Node:
    base = evaluate(node.base, scope)
    if node.key is None:
        return (
            base
            if isinstance(base, ListValue | UnknownValue)
            else ListValue(node.source, node.at, (base,))
        )
    key = evaluate(node.key, scope)
    return apply_to_options(node, (base, key), lambda chosen: get_element(node, *chosen))


def _call(node: FunctionCall, scope: EvaluationScope) -> Node:
    return scope.call(node)


def _pieces(node: Interpolation, scope: EvaluationScope) -> Node:
    parts = tuple(evaluate(part, scope) for part in node.parts)
    return apply_to_options(node, parts, lambda chosen: concatenate(node, chosen))


def _operation(node: OperatorExpression, scope: EvaluationScope) -> Node:
    if node.operator == "?:":
        return evaluate_conditional(node, node.operands, scope)
    if node.operator == "??":
        return _first(node, scope)
    if node.operator == "if":
        return evaluate(node.operands[1], scope)
    operands = tuple(evaluate(one, scope) for one in node.operands)
    return apply_to_options(node, operands, lambda chosen: _worked_out(node, chosen))


def evaluate_conditional(node: Node, operands: Sequence[Node], scope: EvaluationScope) -> Node:
    """`condition ? yes : no`; both where the condition is unknown."""
    known = as_bool(evaluate(operands[0], scope))
    if known is not None:
        return evaluate(operands[1 if known else 2], scope)
    return one_of(node, [evaluate(one, scope) for one in operands[1:]])


def _first(node: OperatorExpression, scope: EvaluationScope) -> Node:
    left = evaluate(node.operands[0], scope)
    if isinstance(left, Literal) and left.value is None:
        return evaluate(node.operands[1], scope)
    if isinstance(left, UnknownValue):
        return one_of(node, [evaluate(node.operands[1], scope), left])
    return left


def _worked_out(node: OperatorExpression, values: tuple[Node, ...]) -> Node | None:
    known = [value.value for value in values if isinstance(value, Literal)]
    if node.operator in {"&&", "||"}:
        stops = node.operator == "||"
        if any(as_bool(value) is stops for value in values):
            return Literal(node.source, node.at, stops)
        if all(as_bool(value) is (not stops) for value in values):
            return Literal(node.source, node.at, not stops)
        return None
    if len(known) != len(values):
        return None
    result = apply_operator(node.operator, known)
    return None if result is None else Literal(node.source, node.at, result)


def _loop(node: ForExpression, scope: EvaluationScope) -> Node:
    """A list of what the body comes to; one of it, for all, where it is not known what over."""
    over = evaluate(node.over, scope)
    rounds = iterations(over)
    if rounds is None or len(rounds) > _TURNS:
        why = over.why if isinstance(over, UnknownValue) else "it goes over what is not worked out"
        here = make_unknown(node.over, why)
        scope.gaps.append(here)
        rounds = [(here, here)]
    found = []
    for key, value in rounds:
        scope.bound.append(dict(zip(reversed(node.names), (value, key), strict=False)))
        found.append(evaluate(node.body, scope))
        scope.bound.pop()
    return ListValue(node.source, node.at, tuple(found))


def _itself(node: Node, _: EvaluationScope) -> Node:
    return node


_KINDS: dict[type, Callable[..., Node]] = {
    Literal: _literal,
    ListValue: _items,
    ObjectValue: _table,
    Identifier: _name,
    MemberAccess: _field,
    IndexAccess: _index,
    FunctionCall: _call,
    OperatorExpression: _operation,
    Interpolation: _pieces,
    ForExpression: _loop,
    UnknownValue: _itself,
    OneOf: _itself,
}
