"""What the functions of ARM and of Bicep come to, where no deployment is needed for it."""

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

_HOLE = re.compile(r"\{\{|\}\}|\{(\d+)(?::[^}]*)?\}")
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers"

Nodes = tuple[Node, ...]


def scalar_function(work: Callable[..., Scalar], count: int = 0) -> Function:
    """A function of plain values: of exactly *count* of them unless that is 0.

    What it makes of one value stands where that one does.
    """

    def apply(call: FunctionCall, arguments: Nodes) -> Node | None:
        known = [one.value for one in arguments if isinstance(one, Literal)]
        if len(known) != len(arguments) or (count and len(known) != count):
            return None
        try:
            made = work(*known)
        except (TypeError, ValueError, AttributeError):
            return None
        if isinstance(made, str) and len(made) > TEXT_MAX:
            return None
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
    for match in _HOLE.finditer(text):
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
    """A text cut at a separator."""
    known = [one.value for one in arguments if isinstance(one, Literal)]
    if len(known) != 2 or not all(isinstance(one, str) and one for one in known):  # noqa: PLR2004
        return None
    return ListValue(
        call.source,
        call.at,
        tuple(Literal(call.source, call.at, one) for one in str(known[0]).split(str(known[1]))),
    )


def join_list(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`join(list, separator)`, whichever of the two comes first."""
    ordered = sorted(arguments, key=lambda one: not isinstance(one, ListValue))
    if len(ordered) != 2 or not isinstance(ordered[0], ListValue):  # noqa: PLR2004 - as above
        return None
    parts: list[Node] = []
    for item in ordered[0].items:
        parts += (ordered[1], item) if parts else (item,)
    return concatenate(call, parts)


def resource_id(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`resourceId('Publisher/types/types', name, name)`, in a subscription that has no name yet."""
    words = [str(one.value) for one in arguments if isinstance(one, Literal)]
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
    """*text* in base 64."""
    return base64.b64encode(text.encode()).decode()


def base64_decode(text: str) -> str:
    """The text that is *text* in base 64; raises `ValueError` where it is none."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("no text in base 64") from error


_MOST = 10_000


def concat(call: FunctionCall, arguments: Nodes) -> Node | None:
    """Texts, or lists, one after the other."""
    if any(isinstance(one, ListValue) for one in arguments):
        found: list[Node] = []
        for one in arguments:
            found += one.items if isinstance(one, ListValue) else (one,)
        if len(found) > _MOST:
            return None
        return ListValue(call.source, call.at, tuple(found))
    return concatenate(call, arguments)


def union(call: FunctionCall, arguments: Nodes) -> Node | None:
    """Tables poured into one another, or lists; what is unknown stays in it."""
    if not any(isinstance(one, ObjectValue) for one in arguments):
        return concat(call, arguments)
    entries: dict[str, ObjectEntry] = {}
    left: list[Node] = []
    for one in arguments:
        if isinstance(one, ObjectValue):
            entries |= one.entries
            left += one.spread
        elif not (isinstance(one, Literal) and one.value is None):
            left.append(one)
    return ObjectValue(call.source, call.at, entries, tuple(left))


def coalesce(call: FunctionCall, arguments: Nodes) -> Node | None:
    """The first that is something; any of what may be."""
    may_be: list[Node] = []
    for one in arguments:
        if isinstance(one, UnknownValue):
            may_be.append(one)
        elif not isinstance(one, Literal) or one.value is not None:
            return one_of(call, [*may_be, one]) if may_be else one
    return one_of(call, may_be) if may_be else Literal(call.source, call.at, None)


def make_list(call: FunctionCall, arguments: Nodes) -> Node | None:
    """A list of the arguments."""
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
    """What is given, as it is."""
    return arguments[0] if arguments else None


def make_null(call: FunctionCall, _: Nodes) -> Node | None:
    """`null()`."""
    return Literal(call.source, call.at, None)


def is_empty(call: FunctionCall, arguments: Nodes) -> Node | None:
    """Whether a text, a list or a table has nothing in it."""
    one = arguments[0] if arguments else None
    match one:
        case Literal():
            return Literal(call.source, call.at, one.value in (None, ""))
        case ListValue():
            return Literal(call.source, call.at, not one.items)
        case ObjectValue() if one.entries or not one.spread:
            return Literal(call.source, call.at, not one.entries)
    return None


def length(call: FunctionCall, arguments: Nodes) -> Node | None:
    """How long a text or a list is."""
    one = arguments[0] if arguments else None
    if isinstance(one, ListValue):
        return Literal(call.source, call.at, len(one.items))
    if isinstance(one, Literal) and isinstance(one.value, str):
        return Literal(call.source, call.at, len(one.value))
    return None


def contains(call: FunctionCall, arguments: Nodes) -> Node | None:
    """Whether a table has a key, a list an item, or a text a part."""
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
    """The first or the last of a list."""

    def apply(_: FunctionCall, arguments: Nodes) -> Node | None:
        one = arguments[0] if arguments else None
        return one.items[position] if isinstance(one, ListValue) and one.items else None

    return apply


def shallow_merge(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`shallowMerge(list)`."""
    one = arguments[0] if arguments else None
    return union(call, one.items) if isinstance(one, ListValue) else None


def number_range(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`range(first, count)`."""
    known = [one.value for one in arguments if isinstance(one, Literal)]
    match known:
        case [int(first), int(count)] if 0 <= count <= _MOST:
            return ListValue(
                call.source,
                call.at,
                tuple(Literal(call.source, call.at, first + one) for one in range(count)),
            )
    return None


def logical_not(call: FunctionCall, arguments: Nodes) -> Node | None:
    """`not(…)`."""
    known = as_bool(arguments[0]) if arguments else None
    return None if known is None else Literal(call.source, call.at, not known)


def logical_function(stops: bool) -> Function:  # noqa: FBT001 - the value that settles it
    """`or(…)` where True settles it, `and(…)` where False does."""

    def apply(call: FunctionCall, arguments: Nodes) -> Node | None:
        known = [as_bool(one) for one in arguments]
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
    "bool": scalar_function(lambda one: scalar_text(one).lower() == "true", 1),
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
"""By their names in lower case; `if`, `parameters` and `variables` are the scope's."""
