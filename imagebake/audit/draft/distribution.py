"""Read the distributors of a template as a spec's gallery, regions, outputs and tags."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from imagebake.audit.draft.model import DraftRegion
from imagebake.audit.draft.template import ImportNotes, read_resource_id
from imagebake.audit.languages.nodes import (
    ListValue,
    Node,
    ObjectValue,
    UnknownValue,
    items_of,
    lookup,
    text_of,
)
from imagebake.audit.languages.values import as_bool
from imagebake.kernel.text import constrained
from imagebake.spec.model.image_spec import Architecture, Generation, SecurityType

_DEFINITION = re.compile(r"/images/([^/]+)(?:/versions/.*)?$", re.IGNORECASE)
_STORAGE = frozenset({"Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS"})
# Azure's limits on tags: names of 512 and values of 256 characters, none of `<>%&\\?/` in a name.
_TAG = re.compile(r"[^<>%&\\?/\x00-\x1f\x7f]{1,512}")
_TAG_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,256}")
_ADDRESS = re.compile(r"https://[A-Za-z0-9.:-]+(/[A-Za-z0-9_.~!$&'()*+,;=:%-]+)*/[A-Za-z0-9_.+~-]+")
_MOST_TAGS = 40
_MOST_REPLICAS = 100
_SET_BY_IMAGEBAKE = {
    "versioning": "versions are called by the day of the bake",
    "excludefromlatest": "a version is hidden until it is promoted",
}
_KNOWN_KEYS = frozenset(
    {
        *_SET_BY_IMAGEBAKE,
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


class DraftTarget(NamedTuple):
    """Definition, regions and tags of the versions, further outputs, replication mode."""

    definition: str
    regions: tuple[DraftRegion, ...]
    tags: dict[str, str]
    outputs: tuple[Mapping[str, Any], ...] = ()
    replication: str = ""


def read_target(properties: Node | None, location: Node | None, notes: ImportNotes) -> DraftTarget:
    """Read the first gallery that a template distributes to, and the further distributors."""
    listed = lookup(properties, "distribute")
    own: ObjectValue | None = None
    outputs: list[Mapping[str, Any]] = []
    for item in items_of(listed):
        kind = (text_of(lookup(item, "type")) or "").lower()
        if isinstance(item, ObjectValue) and kind == "sharedimage" and own is None:
            own = item
        elif isinstance(item, ObjectValue):
            outputs += _output(item, kind, len(outputs) + 1, notes)
        else:
            notes.read_text(item, "a distributor")
    if own is None:
        where = listed or properties
        if where is not None:
            hint = "write the gallery's definition, and the regions, in the spec"
            notes.add_finding("I113", where, "the template distributes to no gallery", hint)
        return DraftTarget("", (), {}, tuple(outputs))
    _settings(own, notes)
    regions = _regions(own, notes) or _home(own, location, notes)
    return DraftTarget(
        _definition(own, notes),
        regions,
        read_tags(lookup(own, "artifactTags"), notes),
        tuple(outputs),
        _shallow(own),
    )


def _shallow(item: ObjectValue) -> str:
    mode = (text_of(lookup(item, "replicationMode")) or "").lower()
    return "Shallow" if mode == "shallow" else ""


def _output(
    item: ObjectValue, kind: str, number: int, notes: ImportNotes
) -> Iterator[Mapping[str, Any]]:
    """Yield a further distributor as an output of a spec; add a finding where it cannot be."""
    read = {"sharedimage": _gallery, "managedimage": _managed, "vhd": _disk}.get(kind)
    target = read(item, notes) if read else {}
    output_name = notes.read_text(lookup(item, "runOutputName"), "a run output's name") or ""
    name = output_name if constrained.TEMPLATE.fullmatch(output_name) else f"output-{number}"
    if not target:
        shown = text_of(lookup(item, "type")) or "?"
        hint = "write it under 'distribute', with whole ids"
        notes.add_finding("I111", item, f"the image goes to a {shown} that is not known", hint)
        notes.leave_out(item, f"distributor {shown}", "where it goes is not known")
        return
    tags = read_tags(lookup(item, "artifactTags"), notes)
    yield {"name": name, **target, **({"tags": tags} if tags else {})}


def _gallery(item: ObjectValue, notes: ImportNotes) -> dict[str, Any]:
    pattern = re.compile(
        f"{constrained.DEFINITION_ID.pattern}(?:/versions/{constrained.THREE_NUMBERS})?"
    )
    definition = read_resource_id(
        lookup(item, "galleryImageId"), pattern, "a second definition", notes
    )
    regions = [
        {key: value for key, value in dataclasses.asdict(region).items() if value is not None}
        for region in _regions(item, notes)
    ]
    if not definition or not regions:
        return {}
    versioning: dict[str, Any] = {}
    if scheme := (text_of(lookup(item, "versioning", "scheme")) or "").lower():
        versioning["scheme"] = "source" if scheme == "source" else "latest"
    major = notes.read_number(lookup(item, "versioning", "major"), "the major number")
    if major is not None and major >= 0:
        versioning["major"] = major
    hidden = lookup(item, "excludeFromLatest")
    shallow = _shallow(item)
    return {
        "gallery": definition,
        "regions": regions,
        **({"versioning": versioning} if versioning else {}),
        **({"replication": shallow} if shallow else {}),
        **({} if hidden is not None and as_bool(hidden) else {"hidden": False}),
    }


def _managed(item: ObjectValue, notes: ImportNotes) -> dict[str, Any]:
    what = "a managed image"
    image = read_resource_id(lookup(item, "imageId"), constrained.MANAGED_IMAGE_ID, what, notes)
    place = _region(lookup(item, "location"), notes)
    return {"managed_image": image, "location": place} if image and place else {}


def _disk(item: ObjectValue, notes: ImportNotes) -> dict[str, Any]:
    address = lookup(item, "uri")
    text = notes.read_text(address, "the address of a disk")
    if text and not _ADDRESS.fullmatch(text):
        return {}
    return {"vhd": {"address": text} if text else {}}


def _settings(item: ObjectValue, notes: ImportNotes) -> None:
    for key, member in item.entries.items():
        if key in _SET_BY_IMAGEBAKE:
            notes.add_finding(
                "I112",
                member.value,
                f"{member.name} is not a spec's: {_SET_BY_IMAGEBAKE[key]}",
                "",
                error=False,
            )
        elif key not in _KNOWN_KEYS:
            notes.add_finding(
                "I112", member.value, f"{member.name} is not known", "leave it out", error=False
            )


def _definition(item: ObjectValue, notes: ImportNotes) -> str:
    """Return the name of the definition in the id; a spec has no other part of the id."""
    node = lookup(item, "galleryImageId")
    known = node.text if isinstance(node, UnknownValue) else text_of(node)
    # The name may be known although a part of the id, the subscription say, is not.
    match = _DEFINITION.search(known or "")
    if match and constrained.DEFINITION.fullmatch(match[1]):
        return match[1]
    if node is not None and match and match[1].startswith("<"):
        hint = "write it in the spec"
        notes.add_finding(
            "I110", node, f"the image definition is to be filled in: {match[1]}", hint
        )
    elif node is not None and notes.read_text(node, "the image definition") is not None:
        hint = "…/galleries/NAME/images/DEFINITION; write the definition in the spec"
        notes.add_finding("I114", node, "the id names no image definition", hint)
    return ""


def _regions(item: ObjectValue, notes: ImportNotes) -> tuple[DraftRegion, ...]:
    storage = _storage(lookup(item, "storageAccountType"), notes)
    found: dict[str, DraftRegion] = {}
    targets = lookup(item, "targetRegions")
    deprecated = lookup(item, "replicationRegions")
    if (
        isinstance(deprecated, ListValue)
        and deprecated.items
        and not isinstance(targets, ListValue)
    ):
        hint = "targetRegions takes their place; the draft has them as regions"
        notes.add_finding("I115", deprecated, "replicationRegions is deprecated", hint, error=False)
    for node in (*items_of(targets), *items_of(deprecated)):
        table = isinstance(node, ObjectValue)
        name = _region(lookup(node, "name") if table else node, notes)
        if name is None:
            continue
        count = (
            notes.read_number(lookup(node, "replicaCount"), "a number of replicas")
            if table
            else None
        )
        if count is not None and not 1 <= count <= _MOST_REPLICAS:
            notes.add_finding("I114", node, f"{count} replicas are not possible", "1 to 100 are")
            count = None
        kept = _storage(lookup(node, "storageAccountType"), notes) if table else None
        found[name] = DraftRegion(name=name, replicas=count, storage=kept or storage)
    return tuple(found.values())


def _region(node: Node | None, notes: ImportNotes) -> str | None:
    text = notes.read_text(node, "a region")
    if node is None or text is None:
        return None
    # Templates may have the display name, such as "West Europe".
    short = text.replace(" ", "").lower()
    if constrained.REGION.fullmatch(short):
        return short
    notes.add_finding(
        "I114", node, f"{text[:40]!r} is no region", "the short name, such as westeurope"
    )
    return None


def _storage(node: Node | None, notes: ImportNotes) -> str | None:
    text = notes.read_text(node, "a kind of storage")
    if node is None or text is None or text in _STORAGE:
        return text
    notes.add_finding(
        "I114", node, f"{text[:40]!r} is no kind of storage", ", ".join(sorted(_STORAGE))
    )
    return None


def _home(item: ObjectValue, location: Node | None, notes: ImportNotes) -> tuple[DraftRegion, ...]:
    """Return the template's own region, where it names no other."""
    name = _region(location, notes)
    if name is None:
        return ()
    hint = "three regions are advised"
    message = f"no target region is known; the draft has the template's own, {name}"
    notes.add_finding("I113", item, message, hint, error=False)
    return (DraftRegion(name=name),)


def read_tags(node: Node | None, notes: ImportNotes) -> dict[str, str]:
    """Return the tags that a spec may have."""
    tags: dict[str, str] = {}
    for tag in node.entries.values() if isinstance(node, ObjectValue) else ():
        text = notes.read_text(tag.value, f"the tag {tag.name}")
        if text is None:
            continue
        if kind := notes.secret_in(f"{tag.name}={text}"):
            notes.add_finding(
                "I109", tag.value, f"the tag {tag.name} has a secret in it: {kind}", "take it out"
            )
        elif not _TAG.fullmatch(tag.name) or not _TAG_TEXT.fullmatch(text):
            notes.add_finding(
                "I114", tag.value, f"the tag {tag.name[:40]!r} cannot be one", "rename it"
            )
        elif len(tags) < _MOST_TAGS:
            tags[tag.name] = text
    return tags


_GEN1 = re.compile(r"gen1|(?:18|20|22)[._]04-lts$", re.IGNORECASE)
_GEN2 = re.compile(r"gen2|g2\b|^server", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_-]")
_SHORTER = 64


class DraftGallery(NamedTuple):
    """Fields of a spec's `gallery`."""

    definition: str
    identifier: dict[str, str]
    generation: str
    security: str
    architecture: str


def read_gallery(
    name: str, definition: str, source: dict[str, str], notes: ImportNotes
) -> DraftGallery:
    """Read the definition called *definition*, or else *name* as the image."""
    made = notes.template.definition
    sku = source.get("sku", "")
    return DraftGallery(
        definition=definition or name,
        identifier=_identifier(definition or name, made, notes),
        generation=_choice(lookup(made, "properties", "hyperVGeneration"), Generation, notes)
        or _generation(sku, notes),
        security=_security(made) or SecurityType.STANDARD.value,
        architecture=_choice(lookup(made, "properties", "architecture"), Architecture, notes)
        or (Architecture.ARM64.value if "arm64" in sku.lower() else Architecture.X64.value),
    )


def _identifier(definition: str, made: Node | None, notes: ImportNotes) -> dict[str, str]:
    node = lookup(made, "properties", "identifier")
    found = {key: text_of(lookup(node, key)) or "" for key in ("publisher", "offer", "sku")}
    if all(map(_NAME.fullmatch, found.values())):
        return found
    place = lookup(notes.template.body, "properties", "distribute") or notes.template.body
    hint = "az sig image-definition show has them; they cannot be changed"
    message = "the definition's publisher, offer and sku are made up"
    notes.add_finding("I113", place, message, hint, error=False)
    return {"publisher": "imagebake", "offer": definition[:_SHORTER], "sku": "imported"}


def _choice(
    node: Node | None, kinds: type[Generation | Architecture], notes: ImportNotes
) -> str | None:
    text = text_of(node)
    if node is None or text is None:
        return None
    found = next((kind.value for kind in kinds if kind.value.lower() == text.lower()), None)
    if found is None:
        known = ", ".join(kind.value for kind in kinds)
        notes.add_finding("I114", node, f"{text[:40]!r} is none of {known}", "write it in the spec")
    return found


def _generation(sku: str, notes: ImportNotes) -> str:
    """Return the generation that the source's SKU implies; V2 where it implies none."""
    if _GEN2.search(sku):
        return Generation.V2.value
    if _GEN1.search(sku):
        return Generation.V1.value
    place = lookup(notes.template.body, "properties", "source") or notes.template.body
    hint = "it must be the source's: az vm image show has it as hyperVGeneration"
    message = f"the sku {sku!r} does not say its generation; the draft has V2"
    notes.add_finding("I113", place, message, hint, error=False)
    return Generation.V2.value


def _security(made: Node | None) -> str | None:
    for feature in items_of(lookup(made, "properties", "features")):
        if (text_of(lookup(feature, "name")) or "").lower() == "securitytype":
            text = (text_of(lookup(feature, "value")) or "").lower()
            return next((kind.value for kind in SecurityType if kind.value.lower() == text), None)
    return None
