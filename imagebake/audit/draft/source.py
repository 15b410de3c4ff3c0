"""Where a template starts from, as a spec says it."""

from __future__ import annotations

from typing import Any

from imagebake.audit.draft.ids import spelled, whole_id
from imagebake.audit.languages.nodes import Node, Table, entry, text_of
from imagebake.audit.languages.templates import Notes
from imagebake.kernel.text import names
from imagebake.kernel.text.versions import MARKETPLACE

_PLAN = {"name": "planName", "product": "planProduct", "publisher": "planPublisher"}
_KINDS = "PlatformImage, ManagedImage and SharedImageVersion are known"


def read_source(node: Node | None, notes: Notes) -> dict[str, Any]:
    """What a spec's `source` says, as far as it is known."""
    if not isinstance(node, Table):
        notes.text(node, "the source")
        return {}
    kind = text_of(entry(node, "type")) or ""
    match kind.lower():
        case "platformimage":
            return _marketplace(node, notes)
        case "managedimage":
            image = whole_id(entry(node, "imageId"), names.MANAGED_IMAGE_ID, "the source", notes)
            return {"managed_image": image} if image else {}
        case "sharedimageversion":
            return _gallery(node, notes)
    notes.say("I106", node, f"the source is of the kind {kind or '?'!r}", _KINDS)
    return {}


def _marketplace(node: Table, notes: Notes) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: text
        for key in ("publisher", "offer", "sku")
        if (text := notes.text(entry(node, key), f"the source's {key}")) is not None
    }
    found |= _version(node, notes)
    plan = entry(node, "planInfo")
    if isinstance(plan, Table):
        said = {
            key: text
            for key, field in _PLAN.items()
            if (text := notes.text(entry(plan, field), f"the plan's {key}")) is not None
        }
        found |= {"plan": said} if said else {}
    return found


def _version(node: Table, notes: Notes) -> dict[str, str]:
    place = entry(node, "version") or node
    said = notes.text(entry(node, "version"), "the source's version")
    if said and MARKETPLACE.fullmatch(said):
        return {"version": said}
    exact = text_of(entry(node, "exactVersion")) or ""
    if MARKETPLACE.fullmatch(exact):
        hint = f"the draft has {exact}, which the template says it was"
        notes.say("I105", place, f"the source's version is {said!r}", hint, error=False)
        return {"version": exact}
    if said:
        hint = "az vm image list --all says which there are; write one in the spec"
        notes.say("I105", place, f"the source's version is {said!r}", hint)
        return {"version": said}
    return {}


def _gallery(node: Table, notes: Notes) -> dict[str, str]:
    place = entry(node, "imageVersionId")
    said = notes.text(place, "the source")
    if place is None or said is None:
        return {}
    definition, _, version = spelled(said).rpartition("/versions/")
    if not names.DEFINITION_ID.fullmatch(definition):
        whole_id(place, names.VERSION_ID, "the source", notes)
        return {}
    exact = text_of(entry(node, "exactVersion")) or ""
    if names.VERSION_ID.fullmatch(f"{definition}/versions/{version}"):
        return {"gallery_version": f"{definition}/versions/{version}"}
    if known := names.VERSION_ID.fullmatch(f"{definition}/versions/{exact}"):
        hint = f"the draft has {exact}, which the template says it was"
        notes.say("I105", place, f"the source's version is {version!r}", hint, error=False)
        return {"gallery_version": known[0]}
    hint = "az sig image-version list says which there are; write one in the spec"
    notes.say("I105", place, f"the source's version is {version!r}", hint)
    return {"gallery_version": f"{definition}/versions/{version}"}
