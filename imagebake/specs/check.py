"""From a tree to a spec: the model's complaints, each at the place that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.model.spec import ImageSpec
from imagebake.specs import phrases
from imagebake.specs.fields import Location, closest, keys_at, without_tags
from imagebake.specs.nodes import Broken, Mapping, Node, Place, Scalar, plain
from imagebake.specs.nodes import Sequence as ListNode

_MOST = 200
"""How many of the model's complaints are looked at: nobody reads more, hostile files have."""


class Found(NamedTuple):
    """What stands at a location: the piece, and the key that it is the value of."""

    node: Node
    key: Scalar | None


def check(root: Mapping) -> tuple[ImageSpec | None, list[Diagnostic]]:
    """The spec that *root* says, or every reason why it says none."""
    try:
        return ImageSpec.model_validate(plain(root)), []
    except ValidationError as error:
        return None, list(_complaints(root, error.errors(include_url=False)[:_MOST]))


def locate(root: Node, location: Iterable[int | str]) -> Found:
    """Follow *location* as far as the tree has it."""
    node, key = root, None
    for part in location:
        if isinstance(node, Mapping) and isinstance(part, str) and part in node.entries:
            key, node = node.entries[part]
        elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node, key = node.items[part], None
    return Found(node, key)


def _complaints(root: Mapping, errors: Sequence[ErrorDetails]) -> Iterable[Diagnostic]:
    missing: dict[Location, list[str]] = {}
    unknown: dict[Location, list[str]] = {}
    for error in errors:
        location = error["loc"]
        if error["type"] in ("missing", "extra_forbidden"):
            group = missing if error["type"] == "missing" else unknown
            group.setdefault(location[:-1], []).append(str(location[-1]))
        elif complaint := _complaint(root, error):
            yield complaint
    for location, names in unknown.items():
        yield from _unknown_keys(root, location, names)
    for location, names in missing.items():
        meant = {closest(name, keys_at(location)) for name in unknown.get(location, ())}
        if left := [name for name in names if name not in meant]:
            yield from _missing_keys(root, location, left)


def _unknown_keys(root: Mapping, location: Location, names: list[str]) -> Iterable[Diagnostic]:
    mapping = locate(root, without_tags(location)).node
    assert isinstance(mapping, Mapping)  # noqa: S101 - only a mapping has keys
    for name in names:
        phrase = phrases.unknown_key(name, location)
        yield phrase.at(mapping.entries[name].key.place)


def _missing_keys(root: Mapping, location: Location, names: list[str]) -> Iterable[Diagnostic]:
    node, key = locate(root, without_tags(location))
    if isinstance(node, Mapping) and node.whole:
        yield phrases.missing_keys(names, location).at(_start(node, key))


def _start(mapping: Mapping, key: Scalar | None) -> Place:
    """Where to point at *mapping* as a whole: at its key, or at the first of its own keys."""
    if key:
        return key.place
    source = mapping.place.source
    places = [entry.key.place for entry in mapping.entries.values()]
    own = [place for place in places if place.source is source]
    return min(own, key=lambda place: (place.line, place.column), default=mapping.place)


def _complaint(root: Mapping, error: ErrorDetails) -> Diagnostic | None:
    location = error["loc"]
    is_key = location[-1:] == ("[key]",)
    node, key = locate(root, without_tags(location[:-1] if is_key else location))
    if is_key and key:
        node = key
    if isinstance(node, Broken) or not location:
        # A broken piece has its complaint; so has a name given twice, which is the only
        # thing that the model says about the spec as a whole.
        return None
    if error["type"] == "too_short" and isinstance(node, ListNode) and node.items:
        return None  # pydantic counts the healthy items only
    return phrases.phrase(error, node).at(_place(node))


def _place(node: Node) -> Place:
    """Where to point at a value."""
    return _start(node, None) if isinstance(node, Mapping) else node.place
