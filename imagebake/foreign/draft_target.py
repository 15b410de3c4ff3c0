"""Where a template's image goes, as a spec says it: definition, regions, tags."""

from __future__ import annotations

import re
from typing import NamedTuple

from imagebake.foreign.nodes import Items, Node, Table, Unknown, entry, items_of, text_of
from imagebake.foreign.templates import Notes
from imagebake.model import names
from imagebake.model.draft import DraftRegion

_DEFINITION = re.compile(r"/images/([^/]+)(?:/versions/.*)?$", re.IGNORECASE)
_STORAGE = frozenset({"Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS"})
_TAG = re.compile(r"[^<>%&\\?/\x00-\x1f\x7f]{1,512}")
_TAG_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,256}")
_MOST_TAGS = 40
_MOST_REPLICAS = 100
_DECIDED = {
    "versioning": "versions are called by the day of the bake",
    "replicationmode": "versions are replicated in full",
    "excludefromlatest": "a version is hidden until it is promoted",
}
_KNOWN = frozenset(
    {
        *_DECIDED,
        "type",
        "galleryimageid",
        "runoutputname",
        "artifacttags",
        "targetregions",
        "replicationregions",
        "storageaccounttype",
    }
)


class Target(NamedTuple):
    """Where versions go."""

    definition: str
    regions: tuple[DraftRegion, ...]
    tags: dict[str, str]


def read_target(properties: Node | None, location: Node | None, notes: Notes) -> Target:
    """Where the first gallery that a template distributes to is; says what else there is."""
    listed = entry(properties, "distribute")
    shared: list[Table] = []
    for item in items_of(listed):
        kind = text_of(entry(item, "type")) or ""
        if isinstance(item, Table) and kind.lower() == "sharedimage":
            shared.append(item)
        elif isinstance(item, Table):
            hint = "./inv export writes a VHD; versions go to a gallery"
            notes.say("I111", item, f"the image goes to a {kind or '?'} as well", hint)
            notes.leave_out(item, f"distributor {kind}", "a spec's versions go to one gallery")
        else:
            notes.text(item, "a distributor")
    for other in shared[1:]:
        hint = "make a spec for each definition"
        notes.say("I111", other, "the image goes to a second definition", hint)
        notes.leave_out(other, "distributor SharedImage", "a spec's versions go to one definition")
    if not shared:
        where = listed or properties
        if where is not None:
            hint = "write the gallery's definition, and the regions, in the spec"
            notes.say("I113", where, "the template distributes to no gallery", hint)
        return Target("", (), {})
    first = shared[0]
    _settings(first, notes)
    regions = _regions(first, notes) or _home(first, location, notes)
    return Target(
        _definition(first, notes), regions, read_tags(entry(first, "artifactTags"), notes)
    )


def _settings(item: Table, notes: Notes) -> None:
    for key, one in item.entries.items():
        if key in _DECIDED:
            notes.say(
                "I112", one.value, f"{one.name} is not a spec's: {_DECIDED[key]}", "", error=False
            )
        elif key not in _KNOWN:
            notes.say("I112", one.value, f"{one.name} is not known", "leave it out", error=False)


def _definition(item: Table, notes: Notes) -> str:
    """The name in the id; nothing else of the id is a spec's."""
    node = entry(item, "galleryImageId")
    known = node.text if isinstance(node, Unknown) else text_of(node)
    match = _DEFINITION.search(known or "")
    if match and names.DEFINITION.fullmatch(match[1]):
        return match[1]
    if node is not None and match and match[1].startswith("<"):
        hint = "write it in the spec"
        notes.say("I110", node, f"the image definition is to be filled in: {match[1]}", hint)
    elif node is not None and notes.text(node, "the image definition") is not None:
        hint = "…/galleries/NAME/images/DEFINITION; write the definition in the spec"
        notes.say("I114", node, "the id names no image definition", hint)
    return ""


def _regions(item: Table, notes: Notes) -> tuple[DraftRegion, ...]:
    storage = _storage(entry(item, "storageAccountType"), notes)
    found: dict[str, DraftRegion] = {}
    targets = entry(item, "targetRegions")
    deprecated = entry(item, "replicationRegions")
    if isinstance(deprecated, Items) and deprecated.items and not isinstance(targets, Items):
        hint = "targetRegions takes their place; the draft has them as regions"
        notes.say("I115", deprecated, "replicationRegions is deprecated", hint, error=False)
    for node in (*items_of(targets), *items_of(deprecated)):
        table = isinstance(node, Table)
        name = _region(entry(node, "name") if table else node, notes)
        if name is None:
            continue
        count = notes.number(entry(node, "replicaCount"), "a number of replicas") if table else None
        if count is not None and not 1 <= count <= _MOST_REPLICAS:
            notes.say("I114", node, f"{count} replicas are not possible", "1 to 100 are")
            count = None
        kept = _storage(entry(node, "storageAccountType"), notes) if table else None
        found[name] = DraftRegion(name=name, replicas=count, storage=kept or storage)
    return tuple(found.values())


def _region(node: Node | None, notes: Notes) -> str | None:
    text = notes.text(node, "a region")
    if node is None or text is None:
        return None
    short = text.replace(" ", "").lower()
    if names.REGION.fullmatch(short):
        return short
    notes.say("I114", node, f"{text[:40]!r} is no region", "the short name, such as westeurope")
    return None


def _storage(node: Node | None, notes: Notes) -> str | None:
    text = notes.text(node, "a kind of storage")
    if node is None or text is None or text in _STORAGE:
        return text
    notes.say("I114", node, f"{text[:40]!r} is no kind of storage", ", ".join(sorted(_STORAGE)))
    return None


def _home(item: Table, location: Node | None, notes: Notes) -> tuple[DraftRegion, ...]:
    """The template's own region, where it names no other."""
    name = _region(location, notes)
    if name is None:
        return ()
    hint = "three regions are advised"
    message = f"no target region is known; the draft has the template's own, {name}"
    notes.say("I113", item, message, hint, error=False)
    return (DraftRegion(name=name),)


def read_tags(node: Node | None, notes: Notes) -> dict[str, str]:
    """The tags that can be in a spec."""
    tags: dict[str, str] = {}
    for one in node.entries.values() if isinstance(node, Table) else ():
        text = notes.text(one.value, f"the tag {one.name}")
        if text is None:
            continue
        if kind := notes.secret_in(f"{one.name}={text}"):
            notes.say(
                "I109", one.value, f"the tag {one.name} has a secret in it: {kind}", "take it out"
            )
        elif not _TAG.fullmatch(one.name) or not _TAG_TEXT.fullmatch(text):
            notes.say("I114", one.value, f"the tag {one.name[:40]!r} cannot be one", "rename it")
        elif len(tags) < _MOST_TAGS:
            tags[one.name] = text
    return tags
