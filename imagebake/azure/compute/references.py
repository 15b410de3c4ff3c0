"""Which image something was made from, as Azure's image references say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_FOREIGN = ("sharedGalleryImageId", "communityGalleryImageId")
_MARKETPLACE = ("publisher", "offer", "sku")


@dataclass(frozen=True, slots=True)
class Used:
    """What an image reference names.

    *image* is the id of a gallery image or version, as it is written there; empty where it is
    no gallery's. *exact* is the version's id, where Azure says which one it was. *known* is
    false where nobody knows how to read the reference.
    """

    image: str = ""
    exact: str | None = None
    known: bool = True
    custom: bool = False
    """Whether it is no image of the marketplace: it may have been another custom one before."""


def image_of(reference: Mapping[str, Any] | None) -> Used:
    """Read an image reference; none at all is a disk that was attached, or no disk."""
    if not reference:
        return Used()
    for name in _FOREIGN:
        if reference.get(name):
            return Used(image=str(reference[name]), custom=True)
    named = str(reference.get("id") or "")
    if "/galleries/" in named.lower() and "/images/" in named.lower():
        return Used(image=named, exact=_exact(named, reference.get("exactVersion")), custom=True)
    if "/providers/microsoft.compute/images/" in named.lower():
        return Used(custom=True)
    if not named and any(reference.get(name) for name in _MARKETPLACE):
        return Used()
    # A marketplace image may have an id, too: that of its offer in the location.
    marketplace = "/artifacttypes/vmimage/" in named.lower()
    return Used(known=marketplace, custom=not marketplace)


def of_gallery(image: str, gallery_id: str) -> bool:
    """Whether *image* may be of the gallery: shared ones do not name it by its id."""
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
    """What of the gallery image templates start from, each with the templates that do."""
    found: dict[str, tuple[str, ...]] = {}
    for template in templates:
        source = (template.get("properties") or {}).get("source") or {}
        if of_gallery(named := str(source.get("imageVersionId") or ""), gallery_id):
            found[named] = (*found.get(named, ()), str(template["id"]))
    return found
