"""Evaluator of expressions, as far as possible without a deployment."""

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
_ITERATIONS_MAX = 50

Function = Callable[[FunctionCall, tuple[Node, ...]], Node | None]
"""Result of a call with evaluated arguments; None where it cannot be computed."""


class EvaluationBudget:
    """Remaining evaluation steps, shared by all scopes of a file and its modules.

    Without it, nested loops and calls in a small file could run practically forever.
    """

    def __init__(self) -> None:
        self.left = STEPS_MAX


class EvaluationScope:
    """Meaning of names and calls at a place; subclassed for each language.

    *gaps* collects the loops whose number of iterations is unknown.
    """

    functions: ClassVar[Mapping[str, Function]] = {}

    def __init__(self) -> None:
        self.depth = 0
        self.budget = EvaluationBudget()
        self.bindings: list[dict[str, Node]] = []
        self.unresolved: list[UnknownValue] = []
        self.evaluated: dict[Hashable, Node] = {}
        self.in_progress: set[Hashable] = set()

    def evaluate_once(self, node: Node, place: Hashable, spoken: str, raw: Node) -> Node:
        """Evaluate *raw*, declared at *place*, once and without loop variables."""
        if place in self.evaluated:
            return self.evaluated[place]
        if place in self.in_progress:
            return make_unknown(node, f"{spoken} goes round in a circle")
        self.in_progress.add(place)
        # A declaration does not see the loop variables of the place that uses it.
        bound, self.bindings = self.bindings, []
        value = evaluate(raw, self)
        self.bindings = bound
        self.in_progress.discard(place)
        if self.settled:
            self.evaluated[place] = value
        return value

    @property
    def settled(self) -> bool:
        """Whether a value may be cached: inside another one, a cycle may have cut it short."""
        return not self.in_progress

    def resolve_name(self, node: Identifier) -> Node:
        """Return the value of a name."""
        for names in reversed(self.bindings):
            if node.name in names:
                return names[node.name]
        return make_unknown(node, f"{node.name!r} is not known here")

    def resolve_literal(self, node: Literal) -> Node:
        """Return the value of a string; ARM evaluates those in brackets."""
        return node

    def expand_object(self, node: ObjectValue) -> ObjectValue:
        """Return the object with members that its language generates."""
        return node

    def resolve_member(self, _: MemberAccess) -> Node | None:
        """Return `base.name` where the language defines it as a whole, else None."""
        return None

    def call_function(self, node: FunctionCall) -> Node:
        """Return the result of a call."""
        arguments = tuple(evaluate(argument, self) for argument in node.arguments)
        function = self.functions.get(node.name.lower())
        if function is None:
            return make_unknown(node, f"only a deployment can call {node.name}()")
        return apply_to_options(node, arguments, lambda chosen: function(node, chosen))


def evaluate(node: Node, scope: EvaluationScope) -> Node:
    """Evaluate *node* in *scope*; the result has no expression left in it."""
    scope.budget.left -= 1
    if scope.depth >= DEPTH_MAX or scope.budget.left < 0:
        return make_unknown(node, "it is too long a story")
    scope.depth += 1
    try:
        return _KINDS[type(node)](node, scope)
    finally:
        scope.depth -= 1


def _literal(node: Literal, scope: EvaluationScope) -> Node:
    return scope.resolve_literal(node) if isinstance(node.value, str) else node


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
    node = scope.expand_object(node)
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
    return scope.resolve_name(node)


def _field(node: MemberAccess, scope: EvaluationScope) -> Node:
    found = scope.resolve_member(node)
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
    return scope.call_function(node)


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
    operands = tuple(evaluate(operand, scope) for operand in node.operands)
    return apply_to_options(node, operands, lambda chosen: _apply(node, chosen))


def evaluate_conditional(node: Node, operands: Sequence[Node], scope: EvaluationScope) -> Node:
    """Evaluate `condition ? yes : no`; both where the condition is unknown."""
    known = as_bool(evaluate(operands[0], scope))
    if known is not None:
        return evaluate(operands[1 if known else 2], scope)
    return one_of(node, [evaluate(operand, scope) for operand in operands[1:]])


def _first(node: OperatorExpression, scope: EvaluationScope) -> Node:
    left = evaluate(node.operands[0], scope)
    if isinstance(left, Literal) and left.value is None:
        return evaluate(node.operands[1], scope)
    # An unknown left operand may be null: either side may be the value.
    if isinstance(left, UnknownValue):
        return one_of(node, [evaluate(node.operands[1], scope), left])
    return left


def _apply(node: OperatorExpression, values: tuple[Node, ...]) -> Node | None:
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
    """Evaluate a loop to a list; to a single item for all where the range is unknown."""
    over = evaluate(node.over, scope)
    pairs = iterations(over)
    if pairs is None or len(pairs) > _ITERATIONS_MAX:
        why = over.why if isinstance(over, UnknownValue) else "it goes over what is not worked out"
        here = make_unknown(node.over, why)
        # The body is evaluated once with an unknown value, so that its findings are not lost.
        scope.unresolved.append(here)
        pairs = [(here, here)]
    found = []
    for key, value in pairs:
        # The names are ordered key, value; a single one is the value.
        scope.bindings.append(dict(zip(reversed(node.names), (value, key), strict=False)))
        found.append(evaluate(node.body, scope))
        scope.bindings.pop()
    return ListValue(node.source, node.at, tuple(found))


def _unchanged(node: Node, _: EvaluationScope) -> Node:
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
    UnknownValue: _unchanged,
    OneOf: _unchanged,
}
