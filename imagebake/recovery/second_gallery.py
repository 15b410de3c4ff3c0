"""The second gallery: versions it needs, whether they match, and plans to copy and to use them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imagebake.azure.model.fleet import Inventory, ScaleSet
from imagebake.azure.model.gallery import TAG_CLAIM, TAG_REVOKED, GalleryVersion
from imagebake.azure.resources.resource_ids import key, name_of
from imagebake.rollout.audience import plan_moves, scale_sets_by_ring
from imagebake.rollout.model.actions import Action, AwaitReplicas, Copy, CopyTags
from imagebake.rollout.model.effects import OURS
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import PendingAction, Refusal, RolloutPlan
from imagebake.rollout.model.rings import Rings
from imagebake.rollout.promote import COMPLETED, rings_of
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.rings import Ring

_GALLERIES = "/providers/microsoft.compute/galleries/"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondGallery:
    """The gallery with the id *gallery*, in the region *location*."""

    gallery: str
    location: str

    def place_of(self, identifier: str) -> str:
        """Return the id in this gallery of a definition or version of another one."""
        below = identifier[identifier.lower().index(_GALLERIES) + len(_GALLERIES) :]
        return f"{self.gallery}/{below.rstrip('/').partition('/')[2]}"


def versions_for_recovery(rings: Rings) -> tuple[GalleryVersion, ...]:
    """Return of each ring the current good version and the one before it.

    Where no ring has one, it is the newest that is healthy and not revoked.
    """
    found: dict[str, GalleryVersion] = {}
    for ring in rings.rings:
        good = [seat.version for seat in rings.history(ring.name) if rings.good(seat.version, ring)]
        found |= {key(version.id): version for version in good[:2]}
    if not found:
        usable = [
            version
            for version in rings.versions
            if version.healthy and not rings.revoked_anywhere(version)
        ]
        found = {key(version.id): version for version in usable[-1:]}
    return tuple(sorted(found.values(), key=lambda version: version.version))


def copied_tags(version: GalleryVersion) -> dict[str, str]:
    """Return the tags that a copy of *version* has too: all but claims."""
    return {name: text for name, text in version.tags.items() if not name.startswith(TAG_CLAIM)}


def copy_defects(
    original: GalleryVersion,
    copy: GalleryVersion | None,
    contents: tuple[str | None, str | None] = (None, None),
) -> tuple[str, ...]:
    """Return why *copy* cannot replace *original*, in words; empty where it can.

    *contents* are the digests of both root file systems, where they are known.
    """
    if copy is None:
        return ("there is none",)
    found = [] if copy.healthy else [f"its state is {copy.state}"]
    if copy.parent != key(original.id):
        found.append(f"it was made from {copy.parent or 'something else'}")
    found += _tag_differences(copied_tags(original), copied_tags(copy))
    if None not in contents and contents[0] != contents[1]:
        found.append("its content is another")
    late = [name for name, state in sorted(copy.regions.items()) if state not in _ACCEPTED_STATES]
    if late:
        found.append(f"it is not complete in {', '.join(late)}")
    return tuple(found)


_ACCEPTED_STATES = (COMPLETED, "Unknown")
"""Azure's lists do not state how far a replication is, which is no defect."""


def _tag_differences(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    return [
        f"its tag {name} says {theirs.get(name)!r} instead of {mine.get(name)!r}"
        for name in sorted(mine.keys() | theirs.keys())
        if name.startswith(OURS) and mine.get(name) != theirs.get(name)
    ]


def plan_copy(
    spec: ImageSpec, first: Inventory, second: Inventory, to: SecondGallery, *, now: dt.datetime
) -> RolloutPlan:
    """Plan what brings the versions that a recovery of *spec*'s image needs to the second gallery.

    Earlier copies follow their originals: a version revoked there is revoked here.
    """
    rings = rings_of(spec, VersionIndex(first))
    copies = {key(version.id): version for version in second.versions}
    actions: list[Action] = []
    refusals: list[Refusal] = []
    needed = {key(version.id) for version in versions_for_recovery(rings)}
    for version in rings.versions:
        copy = copies.get(key(to.place_of(version.id)))
        if copy is None and key(version.id) in needed:
            actions += _copy(version, to)
        elif copy is not None and copy.parent != key(version.id):
            refusals.append(_foreign_copy(copy))
        elif copy is not None:
            actions += _update_copy(version, copy, wait=key(version.id) in needed)
    if not needed:
        image = spec.name
        why = "the image has no version that could be copied"
        refusals.append(_nothing_to_copy(rings.id, why, f"./inv bake {image}"))
    # A revoked version must not be used while a long replication is awaited.
    revocations_first = sorted(actions, key=lambda action: not _revokes(action))
    return RolloutPlan(
        title=f"Copy {spec.name} to gallery {name_of(to.gallery)}",
        at=now,
        actions=tuple(revocations_first),
        refusals=tuple(refusals),
    )


def _copy(version: GalleryVersion, to: SecondGallery) -> list[Action]:
    replicas = {name: version.replicas.get(name, 1) for name in version.regions} | {
        to.location: version.replicas.get(to.location, 1)
    }
    subject, why = to.place_of(version.id), "a recovery needs it"
    return [
        Copy(
            subject=subject,
            reason=why,
            source=version.id,
            location=to.location,
            replicas=dict(sorted(replicas.items())),
            tags=copied_tags(version),
        ),
        AwaitReplicas(subject=subject, reason=why, regions=frozenset(replicas)),
    ]


def _update_copy(original: GalleryVersion, copy: GalleryVersion, *, wait: bool) -> list[Action]:
    mine, theirs = copied_tags(original), copied_tags(copy)
    actions: list[Action] = []
    if _tag_differences(mine, theirs):
        fresh = {name: text for name, text in mine.items() if theirs.get(name) != text}
        gone = frozenset(name for name in theirs if name.startswith(OURS) and name not in mine)
        why = "a copy says what its original says"
        actions.append(CopyTags(subject=copy.id, reason=why, tags=fresh, gone=gone))
    late = frozenset(name for name, state in copy.regions.items() if state != COMPLETED)
    if wait and late:
        why = "a machine can be made only where a replica is complete"
        actions.append(AwaitReplicas(subject=copy.id, reason=why, regions=late))
    return actions


def _revokes(action: Action) -> bool:
    return isinstance(action, CopyTags) and TAG_REVOKED in action.tags


def _foreign_copy(copy: GalleryVersion) -> Refusal:
    return Refusal(
        subject=copy.id,
        wanted="copy",
        reason=f"the second gallery has another version there, made from {copy.parent or 'a bake'}",
        protector=copy.id,
        command=f"az resource show --ids {copy.id}",
    )


def _nothing_to_copy(subject: str, why: str, command: str) -> Refusal:
    return Refusal(subject=subject, wanted="copy", reason=why, command=command)


def plan_gallery_switch(
    spec: ImageSpec,
    inventory: Inventory,
    other: str,
    *,
    now: dt.datetime,
    without: frozenset[str] = frozenset(),
) -> RolloutPlan:
    """Plan what moves every scale set to *inventory*'s gallery, from the one called *other*.

    Each gets its ring's version there. Regions *without* are lost and left alone. No freeze or
    gate applies, as with a rollback. What cannot be moved is a refusal of the plan.
    """
    rings = rings_of(spec, VersionIndex(inventory))
    kin = frozenset({key(f"{other}/images/{spec.gallery.definition}")})
    actions: list[Action] = []
    refusals: list[Refusal] = []
    due: list[PendingAction] = []
    for ring in rings.rings:
        mine = scale_sets_by_ring(inventory, rings.rings)[ring.name]
        refusals += [_lost_region(scale_set) for scale_set in mine if scale_set.region in without]
        there = [scale_set for scale_set in mine if scale_set.region not in without]
        goal = _goal(rings, ring)
        if goal is None:
            refusals.append(_no_goal(spec, rings, ring))
            continue
        actions += _await_replicas(goal, there)
        why = f"ring {ring.name} has {goal.version} there"
        wide = _everywhere(ring, goal)
        moved = plan_moves(rings, wide, goal, there, reason=why, again=True, related=kin)
        actions += moved.actions
        refusals += moved.refusals
        due += moved.due
    return RolloutPlan(
        title=f"Use gallery {name_of(inventory.gallery)} for {spec.name}",
        at=now,
        actions=_waits_first(actions),
        refusals=tuple(refusals),
        due=tuple(due),
    )


def _everywhere(ring: Ring, goal: GalleryVersion) -> Ring:
    """Return *ring* with every region in which *goal* has replicas."""
    return ring.model_copy(update={"regions": tuple(sorted(goal.regions))})


def _goal(rings: Rings, ring: Ring) -> GalleryVersion | None:
    """Return the last version that *ring* had and that is still good."""
    seats = rings.history(ring.name)
    return next((seat.version for seat in seats if rings.good(seat.version, ring)), None)


def _await_replicas(goal: GalleryVersion, there: Iterable[ScaleSet]) -> list[Action]:
    need = frozenset(scale_set.region for scale_set in there) & frozenset(goal.regions)
    late = frozenset(name for name in need if goal.regions[name] != COMPLETED)
    if not late:
        return []
    why = "a machine can be made only where a replica is complete"
    return [AwaitReplicas(subject=goal.id, reason=why, regions=late)]


def _waits_first(actions: Iterable[Action]) -> tuple[Action, ...]:
    return tuple(sorted(actions, key=lambda action: not isinstance(action, AwaitReplicas)))


def _lost_region(scale_set: ScaleSet) -> Refusal:
    return Refusal(
        subject=scale_set.id,
        wanted="move",
        reason=f"its region {scale_set.region} is left out",
        protector=scale_set.region,
        command="the same command without --without moves it, once the region is back",
    )


def _no_goal(spec: ImageSpec, rings: Rings, ring: Ring) -> Refusal:
    return Refusal(
        subject=rings.id,
        wanted=f"move of ring {ring.name}",
        reason="the gallery has no good version that was current there",
        protector=f"ring {ring.name}",
        command=f"./inv dr copy {spec.name}",
    )
