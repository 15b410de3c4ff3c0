"""Where a template's image goes, as a spec says it: definition, regions, tags."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from imagebake.audit.draft.ids import whole_id
from imagebake.audit.draft.model import DraftRegion
from imagebake.audit.languages.nodes import Items, Node, Table, Unknown, entry, items_of, text_of
from imagebake.audit.languages.templates import Notes
from imagebake.audit.languages.values import truth
from imagebake.kernel.text import names

_DEFINITION = re.compile(r"/images/([^/]+)(?:/versions/.*)?$", re.IGNORECASE)
_STORAGE = frozenset({"Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS"})
_TAG = re.compile(r"[^<>%&\\?/\x00-\x1f\x7f]{1,512}")
_TAG_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,256}")
_ADDRESS = re.compile(r"https://[A-Za-z0-9.:-]+(/[A-Za-z0-9_.~!$&'()*+,;=:%-]+)*/[A-Za-z0-9_.+~-]+")
_MOST_TAGS = 40
_MOST_REPLICAS = 100
_DECIDED = {
    "versioning": "versions are called by the day of the bake",
    "excludefromlatest": "a version is hidden until it is promoted",
}
_KNOWN = frozenset(
    {
        *_DECIDED,
        "type",
        "replicationmode",
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
    outputs: tuple[Mapping[str, Any], ...] = ()
    replication: str = ""


def read_target(properties: Node | None, location: Node | None, notes: Notes) -> Target:
    """Where the first gallery that a template distributes to is, and what else there is."""
    listed = entry(properties, "distribute")
    own: Table | None = None
    outputs: list[Mapping[str, Any]] = []
    for item in items_of(listed):
        kind = (text_of(entry(item, "type")) or "").lower()
        if isinstance(item, Table) and kind == "sharedimage" and own is None:
            own = item
        elif isinstance(item, Table):
            outputs += _output(item, kind, len(outputs) + 1, notes)
        else:
            notes.text(item, "a distributor")
    if own is None:
        where = listed or properties
        if where is not None:
            hint = "write the gallery's definition, and the regions, in the spec"
            notes.say("I113", where, "the template distributes to no gallery", hint)
        return Target("", (), {}, tuple(outputs))
    _settings(own, notes)
    regions = _regions(own, notes) or _home(own, location, notes)
    return Target(
        _definition(own, notes),
        regions,
        read_tags(entry(own, "artifactTags"), notes),
        tuple(outputs),
        _shallow(own),
    )


def _shallow(item: Table) -> str:
    mode = (text_of(entry(item, "replicationMode")) or "").lower()
    return "Shallow" if mode == "shallow" else ""


def _output(item: Table, kind: str, number: int, notes: Notes) -> Iterator[Mapping[str, Any]]:
    """A further distributor, as an output of a spec; says so where it cannot be one."""
    read = {"sharedimage": _gallery, "managedimage": _managed, "vhd": _disk}.get(kind)
    target = read(item, notes) if read else {}
    said = notes.text(entry(item, "runOutputName"), "a run output's name") or ""
    name = said if names.TEMPLATE.fullmatch(said) else f"output-{number}"
    if not target:
        shown = text_of(entry(item, "type")) or "?"
        hint = "write it under 'distribute', with whole ids"
        notes.say("I111", item, f"the image goes to a {shown} that is not known", hint)
        notes.leave_out(item, f"distributor {shown}", "where it goes is not known")
        return
    tags = read_tags(entry(item, "artifactTags"), notes)
    yield {"name": name, **target, **({"tags": tags} if tags else {})}


def _gallery(item: Table, notes: Notes) -> dict[str, Any]:
    pattern = re.compile(f"{names.DEFINITION_ID.pattern}(?:/versions/{names.THREE_NUMBERS})?")
    definition = whole_id(entry(item, "galleryImageId"), pattern, "a second definition", notes)
    regions = [
        {key: value for key, value in dataclasses.asdict(region).items() if value is not None}
        for region in _regions(item, notes)
    ]
    if not definition or not regions:
        return {}
    versioning: dict[str, Any] = {}
    if scheme := (text_of(entry(item, "versioning", "scheme")) or "").lower():
        versioning["scheme"] = "source" if scheme == "source" else "latest"
    major = notes.number(entry(item, "versioning", "major"), "the major number")
    if major is not None and major >= 0:
        versioning["major"] = major
    hidden = entry(item, "excludeFromLatest")
    shallow = _shallow(item)
    return {
        "gallery": definition,
        "regions": regions,
        **({"versioning": versioning} if versioning else {}),
        **({"replication": shallow} if shallow else {}),
        **({} if hidden is not None and truth(hidden) else {"hidden": False}),
    }


def _managed(item: Table, notes: Notes) -> dict[str, Any]:
    what = "a managed image"
    image = whole_id(entry(item, "imageId"), names.MANAGED_IMAGE_ID, what, notes)
    place = _region(entry(item, "location"), notes)
    return {"managed_image": image, "location": place} if image and place else {}


def _disk(item: Table, notes: Notes) -> dict[str, Any]:
    address = entry(item, "uri")
    text = notes.text(address, "the address of a disk")
    if text and not _ADDRESS.fullmatch(text):
        return {}
    return {"vhd": {"address": text} if text else {}}


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
