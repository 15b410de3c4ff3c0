"""What `latest` means in each region, and what must be shown and hidden for that."""

from __future__ import annotations

from collections.abc import Mapping

from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import key
from imagebake.rollout.model.actions import Action, Hide, Show
from imagebake.rollout.model.rings import Rings

Wanted = Mapping[str, GalleryVersion | None]
"""The version that is to be current, by ring."""


def currents(rings: Rings) -> dict[str, GalleryVersion | None]:
    """The version that is current, by ring."""
    return {name: rings.current(name) for name in rings.names}


def latest_actions(rings: Rings, wanted: Wanted, *, reason: str) -> tuple[Action, ...]:
    """What makes `latest` follow *wanted*: the last ring with a region says what it means there.

    What must be seen is shown first, so that no region is without a latest in between. Older
    versions stay as they are: `latest` is the highest number. A region whose ring has no
    version yet is left alone.
    """
    shows: list[Action] = []
    hides: list[Action] = []
    for version in rings.versions:
        regions = frozenset(version.regions)
        goal = frozenset(name for name in regions if _visible(rings, wanted, version, name))
        if added := goal - version.shown:
            shows.append(Show(subject=version.id, reason=reason, shown=version.shown | added))
        if version.shown - goal:
            hides.append(Hide(subject=version.id, reason=_why(rings, version, reason), shown=goal))
    return (*shows, *hides)


def _visible(rings: Rings, wanted: Wanted, version: GalleryVersion, region: str) -> bool:
    ring = rings.last_with(region)
    meant = wanted.get(ring.name)
    if meant is not None and key(meant.id) == key(version.id):
        return True
    if region not in version.shown or rings.revoked(version, ring.name):
        return False
    return meant is None or version.version < meant.version


def _why(rings: Rings, version: GalleryVersion, reason: str) -> str:
    if rings.revoked_anywhere(version):
        return "it is revoked"
    return reason
