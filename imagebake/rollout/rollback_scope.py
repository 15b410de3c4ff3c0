"""Which version a rollback is about, and which rings it hurts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagebake.azure.model.fleet import Inventory, ScaleSet
from imagebake.azure.model.gallery import (
    EVERYWHERE,
    FOREVER,
    TAG_REVOKED,
    GalleryVersion,
    read_revoked,
)
from imagebake.azure.resources.resource_ids import key, name_of, spoken
from imagebake.rollout.audience import members
from imagebake.rollout.model.plan import Plan, Refusal
from imagebake.rollout.model.rings import Rings
from imagebake.spec.model.rings import Ring

AGAIN = dt.timedelta(hours=1)
"""So long after a rollback, another one of the same image must name its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is rolled back: *bad* for ring *scope* and those after it, or everywhere."""

    bad: GalleryVersion
    scope: str
    known: bool


def find_case(
    rings: Rings, inventory: Inventory, ring: str | None, version: str | None, now: dt.datetime
) -> Case | Plan:
    """What a rollback of *version*, or of what is current in *ring*, is about.

    Without a version it is the rollback that somebody began, or else what was made current
    last; a plan that does nothing where a rollback has just ended, or nothing is current.
    """
    scope = ring or EVERYWHERE
    reach = _reach(rings, scope)
    if version is None:
        return _begun(rings, inventory, reach, now) or _newest(rings, reach, scope)
    bad = rings.index.versions[key(version)]
    known = all(rings.revoked(bad, affected.name) for affected in reach)
    return Case(bad=bad, scope=_wider(rings, bad, scope), known=known)


def is_hurt(
    before: Rings, after: Rings, ring: Ring, heirs: set[str], audience: Sequence[ScaleSet]
) -> bool:
    """Whether *ring* has, uses or shows anything of *heirs* that it may not have *after*."""
    revoked = [
        version
        for version in after.versions
        if key(version.id) in heirs and after.revoked(version, ring.name)
    ]
    names = {key(version.id) for version in revoked}
    current = before.current(ring.name)
    if current and key(current.id) in names:
        return True
    if any(name in names for scale_set in audience for name in images_of(scale_set)):
        return True
    return any(before.last_with(region) == ring for version in revoked for region in version.shown)


def images_of(scale_set: ScaleSet) -> Iterator[str]:
    """The ids, as they are compared, of every image that a scale set has or had."""
    yield key(scale_set.image)
    for instance in scale_set.instances:
        yield key(instance.exact or instance.image)


def _wider(rings: Rings, bad: GalleryVersion, scope: str) -> str:
    """*scope*, or what *bad* is revoked for already if that is more."""
    if TAG_REVOKED not in bad.tags or scope == EVERYWHERE:
        return scope
    old, _ = read_revoked(bad.tags[TAG_REVOKED])
    if old not in rings.names:
        return EVERYWHERE
    return min(old, scope, key=rings.names.index)


def _reach(rings: Rings, scope: str) -> list[Ring]:
    start = 0 if scope == EVERYWHERE else rings.names.index(scope)
    return list(rings.rings[start:])


def _begun(
    rings: Rings, inventory: Inventory, reach: Sequence[Ring], now: dt.datetime
) -> Case | Plan | None:
    """The rollback that is under way in *reach*, or a plan that says that one has just ended."""
    audience = members(inventory, rings.rings)
    used = {
        name for ring in reach for scale_set in audience[ring.name] for name in images_of(scale_set)
    }
    revoked = [
        version
        for version in rings.versions
        if any(rings.revoked(version, ring.name) for ring in reach)
    ]
    for version in reversed(revoked):
        shown = any(rings.last_with(region) in reach for region in version.shown)
        if shown or key(version.id) in used:
            return Case(bad=version, scope=EVERYWHERE, known=True)
    own = [
        (read_revoked(version.tags[TAG_REVOKED])[1], version)
        for version in revoked
        if TAG_REVOKED in version.tags
    ]
    since, last = max(own, key=lambda pair: (pair[0], pair[1].version), default=(None, None))
    if since is None or last is None or since == FOREVER or not now - since < AGAIN:
        return None
    image = name_of(rings.definition)
    return Plan(
        title=f"Roll back {image}",
        at=now,
        notes=(
            f"{spoken(last.id)} was revoked at {since:%H:%M} UTC and nothing uses it: done.",
            f"To go back further, name the version: ./inv rollback {image}@VERSION.",
        ),
    )


def _newest(rings: Rings, reach: Sequence[Ring], scope: str) -> Case | Plan:
    """What was made current last, in any ring of *reach*."""
    seats = [seats[0] for ring in reach if (seats := rings.seats(ring.name))]
    if not seats:
        refusal = Refusal(
            subject=rings.definition,
            wanted="roll back",
            reason="no ring has a current version",
            command=f"./inv status {name_of(rings.definition)}",
        )
        return Plan(
            title=f"Roll back {name_of(rings.definition)}",
            at=rings.index.inventory.at,
            refusals=(refusal,),
        )
    newest = max(seats, key=lambda seat: (seat.since, seat.version.version))
    bad = newest.version
    return Case(bad=bad, scope=_wider(rings, bad, scope), known=False)
