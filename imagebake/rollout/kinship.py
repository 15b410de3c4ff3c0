"""What a revocation does to other images that were made from the revoked one."""

from __future__ import annotations

import datetime as dt

from imagebake.azure.model.gallery import TAG_RING, GalleryVersion
from imagebake.azure.resource_ids import definition_of
from imagebake.rollout.actions import Override
from imagebake.rollout.index import Index
from imagebake.rollout.refusals import Refusal
from imagebake.rollout.rings import Rings
from imagebake.spec.rings import Ring


def orphans(before: Index, after: Index, own: str) -> list[tuple[GalleryVersion, str]]:
    """Versions of other images that would leave a ring without any good one, and the ring."""
    found = []
    others = {definition_of(name) for name in before.versions} - {own}
    for definition in sorted(others):
        names = {
            name.removeprefix(TAG_RING)
            for one in before.of(definition)
            for name in one.tags
            if name.startswith(TAG_RING)
        }
        for name in sorted(names):
            ring = Ring.model_construct(name=name, regions=(), proof=False)
            was = _good_seats(Rings(before, definition, (ring,)), ring)
            left = _good_seats(Rings(after, definition, (ring,)), ring)
            if was and not left:
                found.append((was[0], name))
    return found


def orphaned(one: GalleryVersion, ring: str) -> Refusal:
    """Why the revocation is refused that would leave *ring* of another image without *one*."""
    return Refusal(
        subject=one.id,
        wanted="revoke what it was made from",
        reason=f"ring {ring} of {one.definition} would be left without a good version",
        protector=one.id,
        command=f"./inv status {one.definition}",
    )


def kept_by(one: GalleryVersion, ring: str, why: str, now: dt.datetime) -> Override:
    """The record that *one* stays, dated so that it overrules the revocation that follows."""
    at = now + dt.timedelta(seconds=1)
    return Override(subject=one.id, reason=why, ring=ring, at=at)


def _good_seats(rings: Rings, ring: Ring) -> list[GalleryVersion]:
    return [seat.version for seat in rings.seats(ring.name) if rings.good(seat.version, ring)]
