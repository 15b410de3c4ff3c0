"""The laws of a rollout, asked of a world's truth and in none of the words of the code."""

from __future__ import annotations

import datetime as dt

from imagebake.azure.model.gallery import (
    TAG_HOLD,
    TAG_KEEP,
    TAG_PROOF,
    TAG_RETIRED,
    TAG_RING,
    GalleryVersion,
)
from imagebake.azure.resources.resource_ids import definition_of, key
from imagebake.rollout.model import actions as act
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.promote import rings_of
from tests.rollout.world import World


def seats(world: World, image: str, ring: str) -> list[GalleryVersion]:
    """Who was made current of *ring* and may still be, the latest first."""
    found = [
        (dt.datetime.fromisoformat(one.tags[TAG_RING + ring]), one.version, one)
        for one in world.seated(image, ring)
        if not world.is_revoked(key(one.id), ring)
    ]
    return [one for *_, one in sorted(found, key=lambda seat: seat[:2], reverse=True)]


def usable(one: GalleryVersion) -> bool:
    return one.state == "Succeeded" and "Failed" not in one.regions.values()


def good_versions(world: World, image: str) -> list[GalleryVersion]:
    """The good versions of *image*, newest first: usable, proved, not revoked, not retired."""
    rings = [ring.name for ring in world.specs[image].rollout_rings]
    return [
        one
        for one in sorted(world.versions.values(), key=lambda one: one.version, reverse=True)
        if one.definition == image
        and usable(one)
        and one.tags.get(TAG_PROOF, "").startswith("passed")
        and TAG_RETIRED not in one.tags
        and not any(world.is_revoked(key(one.id), ring) for ring in rings)
    ]


def nothing_protected_goes(world: World, name: str, action: act.Action) -> None:
    """What may neither be retired nor deleted, by the issue's own list."""
    one = world.versions[name]
    spec, terms = world.specs[one.definition], world.specs[one.definition].retirement
    what = f"{action.kind} {name}"
    assert not world.unread, f"{what}: usage could not be read"
    assert not world.in_use(name), f"{what}: in use by {world.in_use(name)}"
    for ring in spec.rollout_rings:
        first = [key(seat.id) for seat in seats(world, one.definition, ring.name)[:2]]
        assert name not in first, f"{what}: current or previous in {ring.name}"
    for tags in (one.tags, world.tags.get(one.definition, {})):
        assert TAG_HOLD not in tags, f"{what}: held"
        assert TAG_KEEP not in tags, f"{what}: kept by a tag"
    assert name not in world.locks, f"{what}: locked"
    assert definition_of(name) not in world.locks, f"{what}: locked from above"
    assert one.state in {"Succeeded", "Failed"}, f"{what}: an operation on it is in progress"
    assert one.published is not None, f"{what}: of unknown age"
    age = world.now - one.published
    assert age >= dt.timedelta(days=terms.minimum_age_days), f"{what}: young"
    kept = [key(good.id) for good in good_versions(world, one.definition)[: terms.keep]]
    assert name not in kept, f"{what}: one of the {terms.keep} good ones that are kept"
    if isinstance(action, act.Delete):
        since = world.retired.get(name)
        assert since is not None, f"{what}: was never retired as a whole"
        assert world.now - since >= dt.timedelta(days=terms.grace_days), f"{what}: in its grace"


def what_is_revoked_stays_revoked(world: World) -> None:
    """Nothing revoked can be current, whatever became of what it was revoked with."""
    index = VersionIndex(world.inventory())
    for image, spec in world.specs.items():
        rings = rings_of(spec, index)
        for ring in rings.names:
            for one in rings.versions:
                if world.is_revoked(key(one.id), ring):
                    assert rings.revoked(one, ring), f"{image}: {one.version} is back in {ring}"


def every_ring_keeps_a_good_version(world: World, had: set[tuple[str, str]]) -> None:
    """Once a ring had a good version it always has one; *had* remembers which had."""
    for image, spec in world.specs.items():
        for ring in spec.rollout_rings:
            good = [
                one
                for one in seats(world, image, ring.name)
                if usable(one) and TAG_RETIRED not in one.tags
            ]
            if good:
                had.add((image, ring.name))
            assert good or (image, ring.name) not in had, f"ring {ring.name} of {image} has none"
