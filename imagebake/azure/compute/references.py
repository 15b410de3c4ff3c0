"""Azure's image references: which image a machine or a scale set was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_FOREIGN = ("sharedGalleryImageId", "communityGalleryImageId")
_MARKETPLACE = ("publisher", "offer", "sku")


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A parsed image reference.

    *image* is the id of a gallery image or version, as it is written there; empty for an
    image of no gallery. *exact* is the version's id, where Azure reports it. *known* is false
    for a kind of reference that we cannot read.
    """

    image: str = ""
    exact: str | None = None
    known: bool = True
    custom: bool = False
    """Whether it is a custom image, not the marketplace's: earlier ones may have been, too."""


def image_of(reference: Mapping[str, Any] | None) -> ImageReference:
    """Parse an image reference; none means an attached disk, or no disk."""
    if not reference:
        return ImageReference()
    for name in _FOREIGN:
        if reference.get(name):
            return ImageReference(image=str(reference[name]), custom=True)
    named = str(reference.get("id") or "")
    if "/galleries/" in named.lower() and "/images/" in named.lower():
        exact = _exact(named, reference.get("exactVersion"))
        return ImageReference(image=named, exact=exact, custom=True)
    if "/providers/microsoft.compute/images/" in named.lower():
        return ImageReference(custom=True)
    if not named and any(reference.get(name) for name in _MARKETPLACE):
        return ImageReference()
    # A marketplace image may have an id, too: that of its offer in the region.
    marketplace = "/artifacttypes/vmimage/" in named.lower()
    return ImageReference(known=marketplace, custom=not marketplace)


def of_gallery(image: str, gallery_id: str) -> bool:
    """Return whether *image* may be of the gallery: shared ids do not name their gallery."""
    low = image.lower()
    return low.startswith((f"{gallery_id.lower()}/", "/sharedgalleries/", "/communitygalleries/"))


def _exact(named: str, version: object) -> str | None:
    if not version:
        return None
    definition = (
        named[: named.lower().find("/versions/")] if "/versions/" in named.lower() else named
    )
    return f"{definition.rstrip('/')}/versions/{version}"


def sources(templates: Iterable[Mapping[str, Any]], gallery_id: str) -> dict[str, tuple[str, ...]]:
    """Return the ids of image templates by the gallery image that each starts from."""
    found: dict[str, tuple[str, ...]] = {}
    for template in templates:
        source = (template.get("properties") or {}).get("source") or {}
        if of_gallery(named := str(source.get("imageVersionId") or ""), gallery_id):
            found[named] = (*found.get(named, ()), str(template["id"]))
    return found
