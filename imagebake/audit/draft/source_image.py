"""Where a template starts from, as a spec says it."""

from __future__ import annotations

from typing import Any

from imagebake.audit.draft.template import ImportNotes, canonical_id, read_resource_id
from imagebake.audit.languages.nodes import Node, ObjectValue, lookup, text_of
from imagebake.kernel.text import names
from imagebake.kernel.text.versions import MARKETPLACE

_PLAN = {"name": "planName", "product": "planProduct", "publisher": "planPublisher"}
_KINDS = "PlatformImage, ManagedImage and SharedImageVersion are known"


def read_source(node: Node | None, notes: ImportNotes) -> dict[str, Any]:
    """What a spec's `source` says, as far as it is known."""
    if not isinstance(node, ObjectValue):
        notes.text(node, "the source")
        return {}
    kind = text_of(lookup(node, "type")) or ""
    match kind.lower():
        case "platformimage":
            return _marketplace(node, notes)
        case "managedimage":
            image = read_resource_id(
                lookup(node, "imageId"), names.MANAGED_IMAGE_ID, "the source", notes
            )
            return {"managed_image": image} if image else {}
        case "sharedimageversion":
            return _gallery(node, notes)
    notes.say("I106", node, f"the source is of the kind {kind or '?'!r}", _KINDS)
    return {}


def _marketplace(node: ObjectValue, notes: ImportNotes) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: text
        for key in ("publisher", "offer", "sku")
        if (text := notes.text(lookup(node, key), f"the source's {key}")) is not None
    }
    found |= _version(node, notes)
    plan = lookup(node, "planInfo")
    if isinstance(plan, ObjectValue):
        said = {
            key: text
            for key, field in _PLAN.items()
            if (text := notes.text(lookup(plan, field), f"the plan's {key}")) is not None
        }
        found |= {"plan": said} if said else {}
    return found


def _version(node: ObjectValue, notes: ImportNotes) -> dict[str, str]:
    place = lookup(node, "version") or node
    said = notes.text(lookup(node, "version"), "the source's version")
    if said and MARKETPLACE.fullmatch(said):
        return {"version": said}
    exact = text_of(lookup(node, "exactVersion")) or ""
    if MARKETPLACE.fullmatch(exact):
        hint = f"the draft has {exact}, which the template says it was"
        notes.say("I105", place, f"the source's version is {said!r}", hint, error=False)
        return {"version": exact}
    if said:
        hint = "az vm image list --all says which there are; write one in the spec"
        notes.say("I105", place, f"the source's version is {said!r}", hint)
        return {"version": said}
    return {}


def _gallery(node: ObjectValue, notes: ImportNotes) -> dict[str, str]:
    place = lookup(node, "imageVersionId")
    said = notes.text(place, "the source")
    if place is None or said is None:
        return {}
    definition, _, version = canonical_id(said).rpartition("/versions/")
    if not names.DEFINITION_ID.fullmatch(definition):
        read_resource_id(place, names.VERSION_ID, "the source", notes)
        return {}
    exact = text_of(lookup(node, "exactVersion")) or ""
    if names.VERSION_ID.fullmatch(f"{definition}/versions/{version}"):
        return {"gallery_version": f"{definition}/versions/{version}"}
    if known := names.VERSION_ID.fullmatch(f"{definition}/versions/{exact}"):
        hint = f"the draft has {exact}, which the template says it was"
        notes.say("I105", place, f"the source's version is {version!r}", hint, error=False)
        return {"gallery_version": known[0]}
    hint = "az sig image-version list says which there are; write one in the spec"
    notes.say("I105", place, f"the source's version is {version!r}", hint)
    return {"gallery_version": f"{definition}/versions/{version}"}
