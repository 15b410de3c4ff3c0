"""The image definition of a draft: as the document makes it, or as the source lets one guess."""

from __future__ import annotations

import re
from typing import NamedTuple

from imagebake.audit.languages.nodes import Node, entry, items_of, text_of
from imagebake.audit.languages.templates import Notes
from imagebake.spec.model.image_spec import Architecture, Generation, SecurityType

_GEN1 = re.compile(r"gen1|(?:18|20|22)[._]04-lts$", re.IGNORECASE)
_GEN2 = re.compile(r"gen2|g2\b|^server", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_.-]{0,126}[A-Za-z0-9_-]")
_SHORTER = 64


class DraftGallery(NamedTuple):
    """What a spec's `gallery` says."""

    definition: str
    identifier: dict[str, str]
    generation: str
    security: str
    architecture: str


def read_gallery(name: str, definition: str, source: dict[str, str], notes: Notes) -> DraftGallery:
    """The definition *definition*, or one that is called as the image *name*."""
    made = notes.template.definition
    sku = source.get("sku", "")
    return DraftGallery(
        definition=definition or name,
        identifier=_identifier(definition or name, made, notes),
        generation=_choice(entry(made, "properties", "hyperVGeneration"), Generation, notes)
        or _generation(sku, notes),
        security=_security(made) or SecurityType.STANDARD.value,
        architecture=_choice(entry(made, "properties", "architecture"), Architecture, notes)
        or (Architecture.ARM64.value if "arm64" in sku.lower() else Architecture.X64.value),
    )


def _identifier(definition: str, made: Node | None, notes: Notes) -> dict[str, str]:
    node = entry(made, "properties", "identifier")
    found = {key: text_of(entry(node, key)) or "" for key in ("publisher", "offer", "sku")}
    if all(map(_NAME.fullmatch, found.values())):
        return found
    place = entry(notes.template.body, "properties", "distribute") or notes.template.body
    hint = "az sig image-definition show has them; they cannot be changed"
    message = "the definition's publisher, offer and sku are made up"
    notes.say("I113", place, message, hint, error=False)
    return {"publisher": "imagebake", "offer": definition[:_SHORTER], "sku": "imported"}


def _choice(node: Node | None, kinds: type[Generation | Architecture], notes: Notes) -> str | None:
    text = text_of(node)
    if node is None or text is None:
        return None
    found = next((kind.value for kind in kinds if kind.value.lower() == text.lower()), None)
    if found is None:
        known = ", ".join(kind.value for kind in kinds)
        notes.say("I114", node, f"{text[:40]!r} is none of {known}", "write it in the spec")
    return found


def _generation(sku: str, notes: Notes) -> str:
    """What the source's sku says; where it does not, the newer."""
    if _GEN2.search(sku):
        return Generation.V2.value
    if _GEN1.search(sku):
        return Generation.V1.value
    place = entry(notes.template.body, "properties", "source") or notes.template.body
    hint = "it must be the source's: az vm image show has it as hyperVGeneration"
    message = f"the sku {sku!r} does not say its generation; the draft has V2"
    notes.say("I113", place, message, hint, error=False)
    return Generation.V2.value


def _security(made: Node | None) -> str | None:
    for feature in items_of(entry(made, "properties", "features")):
        if (text_of(entry(feature, "name")) or "").lower() == "securitytype":
            text = (text_of(entry(feature, "value")) or "").lower()
            return next((kind.value for kind in SecurityType if kind.value.lower() == text), None)
    return None
