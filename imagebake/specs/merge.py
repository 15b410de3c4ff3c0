"""One tree from a spec and what it extends."""

from __future__ import annotations

from imagebake.model.source import SOURCE_KINDS, MarketplaceImage
from imagebake.specs.lists import SINGULAR, named
from imagebake.specs.nodes import Entry, Mapping, Node, Sequence

SOURCE = "source"
CHOSEN = tuple(key for key in SOURCE_KINDS if key not in MarketplaceImage.model_fields)
_MARKETPLACE = MarketplaceImage.model_fields.keys()


def merge(base: Mapping, child: Mapping) -> Mapping:
    """*child* over *base*: mappings merge deeply, everything else is the child's.

    Lists of named entries are the base's entries and then the child's; an entry of the
    child takes the place of the base's of that name. Every piece keeps its own address.
    """
    entries = dict(base.entries)
    for key, entry in child.entries.items():
        old = entries.get(key)
        entries[key] = Entry(entry.key, _value(key, old.value, entry.value)) if old else entry
    return Mapping(child.place, entries, base.whole and child.whole)


def _value(key: str, base: Node, child: Node) -> Node:
    if isinstance(base, Mapping) and isinstance(child, Mapping):
        return child if key == SOURCE and _differ(base, child) else merge(base, child)
    if isinstance(base, Sequence) and isinstance(child, Sequence) and key in SINGULAR:
        return Sequence(child.place, _items(key, base, child))
    return child


def _differ(base: Mapping, child: Mapping) -> bool:
    """Whether two sources are of two kinds, so that the keys of one mean nothing to the other."""
    ours = {key for key in CHOSEN if key in child.entries}
    theirs = {key for key in CHOSEN if key in base.entries}
    return ours != theirs and bool(ours or (theirs and _MARKETPLACE & child.entries.keys()))


def _items(key: str, base: Sequence, child: Sequence) -> tuple[Node, ...]:
    ours: dict[str, Node] = {}
    for item in child.items:
        if found := named(key, item):
            ours.setdefault(found[0], item)
    merged: list[Node] = []
    taken: set[int] = set()
    for item in base.items:
        found = named(key, item)
        mine = ours.get(found[0]) if found else None
        merged.append(mine or item)
        taken.add(id(mine))
    merged += [item for item in child.items if id(item) not in taken]
    return tuple(merged)
