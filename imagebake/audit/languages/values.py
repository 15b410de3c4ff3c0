"""Operations on evaluated values: known, one of several, or unknown."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence

from imagebake.audit.languages.nodes import (
    ListValue,
    Literal,
    Node,
    ObjectValue,
    OneOf,
    Scalar,
    UnknownValue,
    options_of,
)

TEXT_MAX = 1 << 20
"""Limit of the length of a computed text."""

_OPTIONS_MAX = 8
_ARITHMETIC: dict[str, Callable[[int, int], Scalar]] = {
    "+": operator.add,
    "-": operator.sub,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def make_unknown(node: Node, why: str) -> UnknownValue:
    """Return *node* as an unknown value because of *why*."""
    return UnknownValue(node.source, node.at, node.source.snippet(node.at), why)


def one_of(node: Node, options: Sequence[Node]) -> Node:
    """Return one of *options*, or the only distinct one; unknown where there are too many."""
    flat = [value for option in options for value in options_of(option)]
    distinct = list({_identity(option): option for option in flat}.values())
    if len(distinct) == 1:
        return distinct[0]
    if not distinct or len(distinct) > _OPTIONS_MAX:
        return make_unknown(node, "it may be too many things")
    return OneOf(node.source, node.at, tuple(distinct))


def _identity(node: Node) -> object:
    if isinstance(node, Literal):
        return (type(node.value), node.value)
    return (type(node), node.source.path, node.at, getattr(node, "text", ""))


def apply_to_options(
    node: Node, given: tuple[Node, ...], apply: Callable[..., Node | None]
) -> Node:
    """Return the results of *apply* for every combination of the options in *given*."""
    choices = [options_of(argument) for argument in given]
    # Combinations multiply; beyond a few they say nothing about an actual deployment.
    if math.prod(map(len, choices)) > _OPTIONS_MAX:
        return make_unknown(node, "it may be too many things")
    found = []
    for chosen in itertools.product(*choices):
        result = apply(chosen)
        if result is None:
            missing = next(
                (argument for argument in chosen if isinstance(argument, UnknownValue)), None
            )
            result = make_unknown(node, missing.why if missing else "it is not worked out here")
        found.append(result)
    return one_of(node, found)


def get_member(node: Node, base: Node, name: str) -> Node | None:
    """Return `base.name`; null where the whole object is known and has no such key."""
    if isinstance(base, ObjectValue):
        # ARM compares names without regard to case.
        entry = base.entries.get(name.lower())
        if entry:
            return entry.value
        return None if base.spread else Literal(node.source, node.at, None)
    if isinstance(base, Literal) and base.value is None:
        return base
    if isinstance(base, ListValue) and name.isdigit() and int(name) < len(base.items):
        return base.items[int(name)]
    if isinstance(base, ListValue):
        # Terraform's splat: `list[*].name` is the list of all names.
        found = [get_member(node, item, name) for item in base.items]
        known = tuple(value for value in found if value is not None)
        return ListValue(node.source, node.at, known) if len(known) == len(found) else None
    return None


def concatenate(node: Node, parts: Sequence[Node]) -> Node:
    """Join *parts* to a text; `${…}` stands for the unknown ones."""
    words, why = [], ""
    for part in parts:
        if isinstance(part, Literal):
            words.append(scalar_text(part.value))
        else:
            words.append("${…}")
            why = why or (part.why if isinstance(part, UnknownValue) else "it has a list in it")
    text = "".join(words)
    if len(text) > TEXT_MAX:
        return make_unknown(node, "it is too long")
    if why:
        return UnknownValue(node.source, node.at, text, why)
    return Literal(node.source, node.at, text)


def scalar_text(value: Scalar) -> str:
    """Return a scalar as string conversion spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def as_bool(node: Node) -> bool | None:
    """Return whether *node* is true; None where it is unknown."""
    if isinstance(node, Literal) and node.value in ("true", "false"):
        return node.value == "true"
    if isinstance(node, Literal) and isinstance(node.value, bool):
        return node.value
    return None


def apply_operator(sign: str, values: list[Scalar]) -> Scalar:
    """Apply the operator *sign* to scalars; None where it is not supported."""
    if sign in {"==", "!="}:
        return (values[0] == values[-1]) is (sign == "==")
    if sign in {"=~", "!~"}:
        return (_folded(values[0]) == _folded(values[-1])) is (sign == "=~")
    if sign == "!":
        return not values[0] if isinstance(values[0], bool) else None
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    if len(numbers) != len(values):
        return None
    if len(numbers) == 1:
        return -numbers[0]
    work = _ARITHMETIC.get(sign)
    return work(*numbers) if work else None


def _folded(value: Scalar) -> str:
    return scalar_text(value).casefold()


def get_element(node: Node, base: Node, key: Node) -> Node | None:
    """Return `base[key]`; of a known list with an unknown key, any of its items."""
    if isinstance(base, ListValue) and isinstance(key, Literal) and isinstance(key.value, int):
        return base.items[key.value] if -1 < key.value < len(base.items) else None
    if isinstance(key, Literal) and isinstance(key.value, str):
        return get_member(node, base, key.value)
    if isinstance(base, ListValue) and base.items:
        return one_of(node, base.items)
    return None


def iterations(over: Node) -> list[tuple[Node, Node]] | None:
    """Return the keys and values that a loop over *over* has; None where they are unknown."""
    if isinstance(over, ListValue):
        return [
            (Literal(over.source, over.at, number), item) for number, item in enumerate(over.items)
        ]
    if isinstance(over, ObjectValue) and not over.spread:
        return [
            (Literal(over.source, member.at, member.name), member.value)
            for member in over.entries.values()
        ]
    return None
