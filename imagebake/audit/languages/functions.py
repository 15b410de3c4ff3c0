"""Functions of ARM and Bicep that need no deployment; Terraform shares some of them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from imagebake.audit.languages.evaluate import Function
from imagebake.audit.languages.nodes import (
    FunctionCall,
    ListValue,
    Literal,
    Node,
    ObjectEntry,
    ObjectValue,
    Scalar,
    UnknownValue,
)
from imagebake.audit.languages.values import (
    TEXT_MAX,
    as_bool,
    concatenate,
    get_element,
    one_of,
    scalar_text,
)

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\d+)(?::[^}]*)?\}")
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers"

Nodes = tuple[Node, ...]


def scalar_function(work: Callable[..., Scalar], count: int = 0) -> Function:
    """Wrap *work* on scalars as a function of exactly *count* arguments, or any where 0.

    The result of a single argument keeps the position of that argument.
    """

    def apply(call: FunctionCall, arguments: Nodes) -> Node | None:
        known = [argument.value for argument in arguments if isinstance(argument, Literal)]
        if len(known) != len(arguments) or (count and len(known) != count):
            return None
        try:
            made = work(*known)
        except (TypeError, ValueError, AttributeError):
            return None
        if isinstance(made, str) and len(made) > TEXT_MAX:
            return None
        # `base64(text)` is found where the text is, which is the line to change.
        place = arguments[0] if len(arguments) == 1 else call
        return Literal(place.source, place.at, made)

    return apply


def format_text(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`format('{0}…', …)`."""
    pattern = arguments[0] if arguments else None
    if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        return None
    parts: list[Node] = []
    start, text = 0, pattern.value
    for match in _PLACEHOLDER.finditer(text):
        parts.append(pattern._replace(value=text[start : match.start()]))
        start = match.end()
        if match[1] is None:
            parts.append(pattern._replace(value=match[0][0]))
        elif int(match[1]) + 1 < len(arguments):
            parts.append(arguments[int(match[1]) + 1])
        else:
            return None
    return concatenate(call, (*parts, pattern._replace(value=text[start:])))


def split_text(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`split(text, separator)`."""
    known = [argument.value for argument in arguments if isinstance(argument, Literal)]
    if len(known) != 2 or not all(isinstance(value, str) and value for value in known):  # noqa: PLR2004
        return None
    return ListValue(
        call.source,
        call.at,
        tuple(Literal(call.source, call.at, word) for word in str(known[0]).split(str(known[1]))),
    )


def join_list(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`join(list, separator)`; ARM and Terraform order the two differently."""
    # ARM has join(list, separator), Terraform join(separator, list).
    ordered = sorted(arguments, key=lambda argument: not isinstance(argument, ListValue))
    if len(ordered) != 2 or not isinstance(ordered[0], ListValue):  # noqa: PLR2004 - as above
        return None
    parts: list[Node] = []
    for item in ordered[0].items:
        parts += (ordered[1], item) if parts else (item,)
    return concatenate(call, parts)


def resource_id(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`resourceId('Publisher/types/types', name, name)`, in an unnamed subscription."""
    words = [str(argument.value) for argument in arguments if isinstance(argument, Literal)]
    start = next((number for number, word in enumerate(words) if "/" in word), None)
    if start is None or len(words) != len(arguments):
        return None
    publisher, *types = words[start].split("/")
    names = words[start + 1 :]
    if len(names) != len(types):
        return None
    path = "/".join(f"{kind}/{name}" for kind, name in zip(types, names, strict=True))
    return Literal(call.source, call.at, f"{_GROUP}/{publisher}/{path}")


def base64_encode(text: str) -> str:
    """Encode *text* in base 64."""
    return base64.b64encode(text.encode()).decode()


def base64_decode(text: str) -> str:
    """Decode base 64; raises `ValueError` where it is none or no UTF-8."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("no text in base 64") from error


_LIST_MAX = 10_000


def concat(call: FunctionCall, arguments: Nodes) -> Node | None:
    """Concatenate texts or lists."""
    if any(isinstance(argument, ListValue) for argument in arguments):
        found: list[Node] = []
        for argument in arguments:
            found += argument.items if isinstance(argument, ListValue) else (argument,)
        if len(found) > _LIST_MAX:
            return None
        return ListValue(call.source, call.at, tuple(found))
    return concatenate(call, arguments)


def union(call: FunctionCall, arguments: Nodes) -> Node | None:
    """Merge objects, or concatenate lists; unknown arguments stay in the result."""
    if not any(isinstance(argument, ObjectValue) for argument in arguments):
        return concat(call, arguments)
    entries: dict[str, ObjectEntry] = {}
    left: list[Node] = []
    for argument in arguments:
        if isinstance(argument, ObjectValue):
            entries |= argument.entries
            left += argument.spread
        elif not (isinstance(argument, Literal) and argument.value is None):
            left.append(argument)
    return ObjectValue(call.source, call.at, entries, tuple(left))


def coalesce(call: FunctionCall, arguments: Nodes) -> Node | None:
    """Return the first argument that is not null, or any that may be the first."""
    may_be: list[Node] = []
    for argument in arguments:
        if isinstance(argument, UnknownValue):
            may_be.append(argument)
        elif not isinstance(argument, Literal) or argument.value is not None:
            return one_of(call, [*may_be, argument]) if may_be else argument
    return one_of(call, may_be) if may_be else Literal(call.source, call.at, None)


def make_list(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`createArray(…)`."""
    return ListValue(call.source, call.at, arguments)


def make_object(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`createObject(name, value, …)`."""
    entries: dict[str, ObjectEntry] = {}
    for key, value in zip(arguments[::2], arguments[1::2], strict=False):
        if not isinstance(key, Literal):
            return None
        entries[scalar_text(key.value).lower()] = ObjectEntry(key.at, scalar_text(key.value), value)
    return ObjectValue(call.source, call.at, entries)


def first_argument(_: FunctionCall, arguments: Nodes) -> Node | None:
    """Return the first argument unchanged."""
    return arguments[0] if arguments else None


def make_null(call: FunctionCall, _: Nodes) -> Node | None:
    """`null()`."""
    return Literal(call.source, call.at, None)


def is_empty(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`empty(…)` of a text, list or object."""
    value = arguments[0] if arguments else None
    match value:
        case Literal():
            return Literal(call.source, call.at, value.value in (None, ""))
        case ListValue():
            return Literal(call.source, call.at, not value.items)
        case ObjectValue() if value.entries or not value.spread:
            return Literal(call.source, call.at, not value.entries)
    return None


def length(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`length(…)` of a text or list."""
    value = arguments[0] if arguments else None
    if isinstance(value, ListValue):
        return Literal(call.source, call.at, len(value.items))
    if isinstance(value, Literal) and isinstance(value.value, str):
        return Literal(call.source, call.at, len(value.value))
    return None


def contains(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`contains(…)`: whether an object has a key, a list an item, or a text a part."""
    if len(arguments) != 2 or not isinstance(key := arguments[1], Literal):  # noqa: PLR2004
        return None
    where = arguments[0]
    if isinstance(where, ObjectValue):
        found = scalar_text(key.value).lower() in where.entries
        return Literal(call.source, call.at, found) if found or not where.spread else None
    if isinstance(where, Literal) and isinstance(where.value, str):
        return Literal(call.source, call.at, scalar_text(key.value) in where.value)
    if isinstance(where, ListValue) and all(isinstance(item, Literal) for item in where.items):
        values = [item.value for item in where.items if isinstance(item, Literal)]
        return Literal(call.source, call.at, key.value in values)
    return None


def item_at(position: int) -> Function:
    """Return the function `first(list)` or `last(list)`."""

    def apply(_: FunctionCall, arguments: Nodes) -> Node | None:
        items = arguments[0] if arguments else None
        return items.items[position] if isinstance(items, ListValue) and items.items else None

    return apply


def shallow_merge(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`shallowMerge(list)`."""
    items = arguments[0] if arguments else None
    return union(call, items.items) if isinstance(items, ListValue) else None


def number_range(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`range(first, count)`."""
    known = [argument.value for argument in arguments if isinstance(argument, Literal)]
    match known:
        case [int(first), int(count)] if 0 <= count <= _LIST_MAX:
            return ListValue(
                call.source,
                call.at,
                tuple(Literal(call.source, call.at, first + number) for number in range(count)),
            )
    return None


def logical_not(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`not(…)`."""
    known = as_bool(arguments[0]) if arguments else None
    return None if known is None else Literal(call.source, call.at, not known)


def logical_function(stops: bool) -> Function:  # noqa: FBT001 - the value that settles it
    """Return `or(…)`, which True settles, or `and(…)`, which False does."""

    def apply(call: FunctionCall, arguments: Nodes) -> Node | None:
        known = [as_bool(argument) for argument in arguments]
        if stops in known:
            return Literal(call.source, call.at, stops)
        return None if None in known else Literal(call.source, call.at, not stops)

    return apply


FUNCTIONS: dict[str, Function] = {
    "and": logical_function(stops=False),
    "any": first_argument,
    "array": make_list,
    "base64": scalar_function(base64_encode, 1),
    "base64tostring": scalar_function(base64_decode, 1),
    "bool": scalar_function(lambda value: scalar_text(value).lower() == "true", 1),
    "coalesce": coalesce,
    "concat": concat,
    "contains": contains,
    "createarray": make_list,
    "createobject": make_object,
    "empty": is_empty,
    "endswith": scalar_function(lambda text, end: text.lower().endswith(end.lower()), 2),
    "equals": scalar_function(lambda left, right: left == right, 2),
    "false": lambda call, _: Literal(call.source, call.at, False),  # noqa: FBT003 - the value
    "first": item_at(0),
    "format": format_text,
    "int": scalar_function(int, 1),
    "join": join_list,
    "last": item_at(-1),
    "length": length,
    "not": logical_not,
    "null": make_null,
    "or": logical_function(stops=True),
    "range": number_range,
    "replace": scalar_function(lambda text, old, new: text.replace(old, new), 3),
    "resourceid": resource_id,
    "shallowmerge": shallow_merge,
    "split": split_text,
    "startswith": scalar_function(lambda text, start: text.lower().startswith(start.lower()), 2),
    "string": scalar_function(scalar_text, 1),
    "substring": scalar_function(lambda text, start, count: text[start : start + count], 3),
    "take": scalar_function(lambda text, count: text[:count], 2),
    "tolower": scalar_function(lambda text: text.lower(), 1),
    "toupper": scalar_function(lambda text: text.upper(), 1),
    "trim": scalar_function(lambda text: text.strip(), 1),
    "true": lambda call, _: Literal(call.source, call.at, True),  # noqa: FBT003 - the value
    "tryget": lambda call, given: get_element(call, *given[:2]) if len(given) > 1 else None,
    "union": union,
    "uri": scalar_function(lambda base, rest: f"{base.rpartition('/')[0]}/{rest.lstrip('/')}", 2),
}
"""By name in lower case; `if`, `parameters` and `variables` belong to the scope."""
