"""Functions that make texts, of ARM, Bicep and Terraform alike."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from imagebake.audit.languages.evaluate import Function
from imagebake.audit.languages.nodes import Call, Items, Literal, Node, Plain
from imagebake.audit.languages.values import LONGEST, joined

_HOLE = re.compile(r"\{\{|\}\}|\{(\d+)(?::[^}]*)?\}")
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers"

Nodes = tuple[Node, ...]


def of_texts(work: Callable[..., Plain], count: int = 0) -> Function:
    """A function of plain values: of exactly *count* of them unless that is 0.

    What it makes of one value stands where that one does.
    """

    def apply(call: Call, arguments: Nodes) -> Node | None:
        known = [one.value for one in arguments if isinstance(one, Literal)]
        if len(known) != len(arguments) or (count and len(known) != count):
            return None
        try:
            made = work(*known)
        except (TypeError, ValueError, AttributeError):
            return None
        if isinstance(made, str) and len(made) > LONGEST:
            return None
        place = arguments[0] if len(arguments) == 1 else call
        return Literal(place.source, place.at, made)

    return apply


def formatted(call: Call, arguments: Nodes) -> Node | None:
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
    return joined(call, (*parts, pattern._replace(value=text[start:])))


def split(call: Call, arguments: Nodes) -> Node | None:
    """A text cut at a separator."""
    known = [one.value for one in arguments if isinstance(one, Literal)]
    if len(known) != 2 or not all(isinstance(one, str) and one for one in known):  # noqa: PLR2004
        return None
    return Items(
        call.source,
        call.at,
        tuple(Literal(call.source, call.at, one) for one in str(known[0]).split(str(known[1]))),
    )


def together(call: Call, arguments: Nodes) -> Node | None:
    """`join(list, separator)`, whichever of the two comes first."""
    ordered = sorted(arguments, key=lambda one: not isinstance(one, Items))
    if len(ordered) != 2 or not isinstance(ordered[0], Items):  # noqa: PLR2004 - as above
        return None
    parts: list[Node] = []
    for item in ordered[0].items:
        parts += (ordered[1], item) if parts else (item,)
    return joined(call, parts)


def resource_id(call: Call, arguments: Nodes) -> Node | None:
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


def encoded(text: str) -> str:
    """*text* in base 64."""
    return base64.b64encode(text.encode()).decode()


def decoded(text: str) -> str:
    """The text that is *text* in base 64; raises `ValueError` where it is none."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("no text in base 64") from error
