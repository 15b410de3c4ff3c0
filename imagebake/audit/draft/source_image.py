"""Read the source of a template as a spec's `source`."""

from __future__ import annotations

from typing import Any

from imagebake.audit.draft.template import ImportNotes, canonical_id, read_resource_id
from imagebake.audit.languages.nodes import Node, ObjectValue, lookup, text_of
from imagebake.kernel.text import names
from imagebake.kernel.text.versions import MARKETPLACE

_PLAN = {"name": "planName", "product": "planProduct", "publisher": "planPublisher"}
_KINDS = "PlatformImage, ManagedImage and SharedImageVersion are known"


def read_source(node: Node | None, notes: ImportNotes) -> dict[str, Any]:
    """Return the fields of a spec's `source`, as far as they are known."""
    if not isinstance(node, ObjectValue):
        notes.read_text(node, "the source")
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
    notes.add_finding("I106", node, f"the source is of the kind {kind or '?'!r}", _KINDS)
    return {}


def _marketplace(node: ObjectValue, notes: ImportNotes) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: text
        for key in ("publisher", "offer", "sku")
        if (text := notes.read_text(lookup(node, key), f"the source's {key}")) is not None
    }
    found |= _version(node, notes)
    plan = lookup(node, "planInfo")
    if isinstance(plan, ObjectValue):
        plan_fields = {
            key: text
            for key, field in _PLAN.items()
            if (text := notes.read_text(lookup(plan, field), f"the plan's {key}")) is not None
        }
        found |= {"plan": plan_fields} if plan_fields else {}
    return found


def _version(node: ObjectValue, notes: ImportNotes) -> dict[str, str]:
    place = lookup(node, "version") or node
    version = notes.read_text(lookup(node, "version"), "the source's version")
    if version and MARKETPLACE.fullmatch(version):
        return {"version": version}
    exact = text_of(lookup(node, "exactVersion")) or ""
    if MARKETPLACE.fullmatch(exact):
        hint = f"the draft has {exact}, which the template says it was"
        notes.add_finding("I105", place, f"the source's version is {version!r}", hint, error=False)
        return {"version": exact}
    if version:
        hint = "az vm image list --all says which there are; write one in the spec"
        notes.add_finding("I105", place, f"the source's version is {version!r}", hint)
        return {"version": version}
    return {}


def _gallery(node: ObjectValue, notes: ImportNotes) -> dict[str, str]:
    place = lookup(node, "imageVersionId")
    image_id = notes.read_text(place, "the source")
    if place is None or image_id is None:
        return {}
    definition, _, version = canonical_id(image_id).rpartition("/versions/")
    if not names.DEFINITION_ID.fullmatch(definition):
        read_resource_id(place, names.VERSION_ID, "the source", notes)
        return {}
    exact = text_of(lookup(node, "exactVersion")) or ""
    if names.VERSION_ID.fullmatch(f"{definition}/versions/{version}"):
        return {"gallery_version": f"{definition}/versions/{version}"}
    if known := names.VERSION_ID.fullmatch(f"{definition}/versions/{exact}"):
        hint = f"the draft has {exact}, which the template says it was"
        notes.add_finding("I105", place, f"the source's version is {version!r}", hint, error=False)
        return {"gallery_version": known[0]}
    hint = "az sig image-version list says which there are; write one in the spec"
    notes.add_finding("I105", place, f"the source's version is {version!r}", hint)
    return {"gallery_version": f"{definition}/versions/{version}"}
