"""What the functions of ARM and of Bicep come to, where no deployment is needed for it."""

from __future__ import annotations

from imagebake.audit.languages.evaluate import Function
from imagebake.audit.languages.nodes import Call, Entry, Items, Literal, Node, Table, Unknown
from imagebake.audit.languages.text_functions import (
    decoded,
    encoded,
    formatted,
    of_texts,
    resource_id,
    split,
    together,
)
from imagebake.audit.languages.values import either, element, joined, truth, written

_MOST = 10_000

Nodes = tuple[Node, ...]


def concat(call: Call, arguments: Nodes) -> Node | None:
    """Texts, or lists, one after the other."""
    if any(isinstance(one, Items) for one in arguments):
        found: list[Node] = []
        for one in arguments:
            found += one.items if isinstance(one, Items) else (one,)
        if len(found) > _MOST:
            return None
        return Items(call.source, call.at, tuple(found))
    return joined(call, arguments)


def union(call: Call, arguments: Nodes) -> Node | None:
    """Tables poured into one another, or lists; what is unknown stays in it."""
    if not any(isinstance(one, Table) for one in arguments):
        return concat(call, arguments)
    entries: dict[str, Entry] = {}
    left: list[Node] = []
    for one in arguments:
        if isinstance(one, Table):
            entries |= one.entries
            left += one.spread
        elif not (isinstance(one, Literal) and one.value is None):
            left.append(one)
    return Table(call.source, call.at, entries, tuple(left))


def first_known(call: Call, arguments: Nodes) -> Node | None:
    """The first that is something; any of what may be."""
    may_be: list[Node] = []
    for one in arguments:
        if isinstance(one, Unknown):
            may_be.append(one)
        elif not isinstance(one, Literal) or one.value is not None:
            return either(call, [*may_be, one]) if may_be else one
    return either(call, may_be) if may_be else Literal(call.source, call.at, None)


def listed(call: Call, arguments: Nodes) -> Node | None:
    """A list of the arguments."""
    return Items(call.source, call.at, arguments)


def tabled(call: Call, arguments: Nodes) -> Node | None:
    """`createObject(name, value, …)`."""
    entries: dict[str, Entry] = {}
    for key, value in zip(arguments[::2], arguments[1::2], strict=False):
        if not isinstance(key, Literal):
            return None
        entries[written(key.value).lower()] = Entry(key.at, written(key.value), value)
    return Table(call.source, call.at, entries)


def same(_: Call, arguments: Nodes) -> Node | None:
    """What is given, as it is."""
    return arguments[0] if arguments else None


def nothing(call: Call, _: Nodes) -> Node | None:
    """`null()`."""
    return Literal(call.source, call.at, None)


def is_empty(call: Call, arguments: Nodes) -> Node | None:
    """Whether a text, a list or a table has nothing in it."""
    one = arguments[0] if arguments else None
    match one:
        case Literal():
            return Literal(call.source, call.at, one.value in (None, ""))
        case Items():
            return Literal(call.source, call.at, not one.items)
        case Table() if one.entries or not one.spread:
            return Literal(call.source, call.at, not one.entries)
    return None


def length(call: Call, arguments: Nodes) -> Node | None:
    """How long a text or a list is."""
    one = arguments[0] if arguments else None
    if isinstance(one, Items):
        return Literal(call.source, call.at, len(one.items))
    if isinstance(one, Literal) and isinstance(one.value, str):
        return Literal(call.source, call.at, len(one.value))
    return None


def contains(call: Call, arguments: Nodes) -> Node | None:
    """Whether a table has a key, a list an item, or a text a part."""
    if len(arguments) != 2 or not isinstance(key := arguments[1], Literal):  # noqa: PLR2004
        return None
    where = arguments[0]
    if isinstance(where, Table):
        found = written(key.value).lower() in where.entries
        return Literal(call.source, call.at, found) if found or not where.spread else None
    if isinstance(where, Literal) and isinstance(where.value, str):
        return Literal(call.source, call.at, written(key.value) in where.value)
    if isinstance(where, Items) and all(isinstance(item, Literal) for item in where.items):
        values = [item.value for item in where.items if isinstance(item, Literal)]
        return Literal(call.source, call.at, key.value in values)
    return None


def item_at(position: int) -> Function:
    """The first or the last of a list."""

    def apply(_: Call, arguments: Nodes) -> Node | None:
        one = arguments[0] if arguments else None
        return one.items[position] if isinstance(one, Items) and one.items else None

    return apply


def merged(call: Call, arguments: Nodes) -> Node | None:
    """`shallowMerge(list)`."""
    one = arguments[0] if arguments else None
    return union(call, one.items) if isinstance(one, Items) else None


def numbers(call: Call, arguments: Nodes) -> Node | None:
    """`range(first, count)`."""
    known = [one.value for one in arguments if isinstance(one, Literal)]
    match known:
        case [int(first), int(count)] if 0 <= count <= _MOST:
            return Items(
                call.source,
                call.at,
                tuple(Literal(call.source, call.at, first + one) for one in range(count)),
            )
    return None


def negated(call: Call, arguments: Nodes) -> Node | None:
    """`not(…)`."""
    known = truth(arguments[0]) if arguments else None
    return None if known is None else Literal(call.source, call.at, not known)


def any_of(stops: bool) -> Function:  # noqa: FBT001 - the value that settles it
    """`or(…)` where True settles it, `and(…)` where False does."""

    def apply(call: Call, arguments: Nodes) -> Node | None:
        known = [truth(one) for one in arguments]
        if stops in known:
            return Literal(call.source, call.at, stops)
        return None if None in known else Literal(call.source, call.at, not stops)

    return apply


FUNCTIONS: dict[str, Function] = {
    "and": any_of(stops=False),
    "any": same,
    "array": listed,
    "base64": of_texts(encoded, 1),
    "base64tostring": of_texts(decoded, 1),
    "bool": of_texts(lambda one: written(one).lower() == "true", 1),
    "coalesce": first_known,
    "concat": concat,
    "contains": contains,
    "createarray": listed,
    "createobject": tabled,
    "empty": is_empty,
    "endswith": of_texts(lambda text, end: text.lower().endswith(end.lower()), 2),
    "equals": of_texts(lambda left, right: left == right, 2),
    "false": lambda call, _: Literal(call.source, call.at, False),  # noqa: FBT003 - the value
    "first": item_at(0),
    "format": formatted,
    "int": of_texts(int, 1),
    "join": together,
    "last": item_at(-1),
    "length": length,
    "not": negated,
    "null": nothing,
    "or": any_of(stops=True),
    "range": numbers,
    "replace": of_texts(lambda text, old, new: text.replace(old, new), 3),
    "resourceid": resource_id,
    "shallowmerge": merged,
    "split": split,
    "startswith": of_texts(lambda text, start: text.lower().startswith(start.lower()), 2),
    "string": of_texts(written, 1),
    "substring": of_texts(lambda text, start, count: text[start : start + count], 3),
    "take": of_texts(lambda text, count: text[:count], 2),
    "tolower": of_texts(lambda text: text.lower(), 1),
    "toupper": of_texts(lambda text: text.upper(), 1),
    "trim": of_texts(lambda text: text.strip(), 1),
    "true": lambda call, _: Literal(call.source, call.at, True),  # noqa: FBT003 - the value
    "tryget": lambda call, given: element(call, *given[:2]) if len(given) > 1 else None,
    "union": union,
    "uri": of_texts(lambda base, rest: f"{base.rpartition('/')[0]}/{rest.lstrip('/')}", 2),
}
"""By their names in lower case; `if`, `parameters` and `variables` are the scope's."""
