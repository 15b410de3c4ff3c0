"""A second gallery: what belongs into it, whether it is the same, and how machines get there."""

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
        """The id that a definition or version of another gallery has in this one."""
        below = identifier[identifier.lower().index(_GALLERIES) + len(_GALLERIES) :]
        return f"{self.gallery}/{below.rstrip('/').partition('/')[2]}"


def versions_for_recovery(rings: Rings) -> tuple[GalleryVersion, ...]:
    """The versions that a recovery needs: of each ring the current good one and the one before.

    Where no ring has one, it is the newest that is healthy and not revoked.
    """
    found: dict[str, GalleryVersion] = {}
    for ring in rings.rings:
        good = [seat.version for seat in rings.history(ring.name) if rings.good(seat.version, ring)]
        found |= {key(one.id): one for one in good[:2]}
    if not found:
        usable = [one for one in rings.versions if one.healthy and not rings.revoked_anywhere(one)]
        found = {key(one.id): one for one in usable[-1:]}
    return tuple(sorted(found.values(), key=lambda one: one.version))


def copied_tags(version: GalleryVersion) -> dict[str, str]:
    """The tags that a copy of *version* has as well: all but the claims."""
    return {name: text for name, text in version.tags.items() if not name.startswith(TAG_CLAIM)}


def copy_defects(
    original: GalleryVersion,
    copy: GalleryVersion | None,
    contents: tuple[str | None, str | None] = (None, None),
) -> tuple[str, ...]:
    """What keeps *copy* from taking the place of *original*, in words; nothing where it can.

    *contents* are the digests of both root file systems, where they are known.
    """
    if copy is None:
        return ("there is none",)
    found = [] if copy.healthy else [f"its state is {copy.state}"]
    if copy.parent != key(original.id):
        found.append(f"it was made from {copy.parent or 'something else'}")
    found += _other_tags(copied_tags(original), copied_tags(copy))
    if None not in contents and contents[0] != contents[1]:
        found.append("its content is another")
    late = [name for name, state in sorted(copy.regions.items()) if state not in _ON_THEIR_WAY]
    if late:
        found.append(f"it is not complete in {', '.join(late)}")
    return tuple(found)


_ON_THEIR_WAY = (COMPLETED, "Unknown")
"""Lists do not say how far a replication is, and that is no flaw."""


def _other_tags(mine: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    return [
        f"its tag {name} says {theirs.get(name)!r} instead of {mine.get(name)!r}"
        for name in sorted(mine.keys() | theirs.keys())
        if name.startswith(OURS) and mine.get(name) != theirs.get(name)
    ]


def plan_copy(
    spec: ImageSpec, first: Inventory, second: Inventory, to: SecondGallery, *, now: dt.datetime
) -> RolloutPlan:
    """The plan that brings what a recovery of *spec*'s image needs to the second gallery.

    What was copied before follows its original: what is revoked there is revoked here.
    """
    rings = rings_of(spec, VersionIndex(first))
    there = {key(one.id): one for one in second.versions}
    actions: list[Action] = []
    refusals: list[Refusal] = []
    needed = {key(one.id) for one in versions_for_recovery(rings)}
    for one in rings.versions:
        copy = there.get(key(to.place_of(one.id)))
        if copy is None and key(one.id) in needed:
            actions += _copy(one, to)
        elif copy is not None and copy.parent != key(one.id):
            refusals.append(_another(copy))
        elif copy is not None:
            actions += _follow(one, copy, wait=key(one.id) in needed)
    if not needed:
        image = spec.name
        why = "the image has no version that could be copied"
        refusals.append(_nothing(rings.id, why, f"./inv bake {image}"))
    revocations_first = sorted(actions, key=lambda one: not _revokes(one))
    return RolloutPlan(
        title=f"Copy {spec.name} to gallery {name_of(to.gallery)}",
        at=now,
        actions=tuple(revocations_first),
        refusals=tuple(refusals),
    )


def _copy(one: GalleryVersion, to: SecondGallery) -> list[Action]:
    replicas = {name: one.replicas.get(name, 1) for name in one.regions} | {
        to.location: one.replicas.get(to.location, 1)
    }
    subject, why = to.place_of(one.id), "a recovery needs it"
    return [
        Copy(
            subject=subject,
            reason=why,
            source=one.id,
            location=to.location,
            replicas=dict(sorted(replicas.items())),
            tags=copied_tags(one),
        ),
        AwaitReplicas(subject=subject, reason=why, regions=frozenset(replicas)),
    ]


def _follow(one: GalleryVersion, copy: GalleryVersion, *, wait: bool) -> list[Action]:
    mine, theirs = copied_tags(one), copied_tags(copy)
    actions: list[Action] = []
    if _other_tags(mine, theirs):
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


def _another(copy: GalleryVersion) -> Refusal:
    return Refusal(
        subject=copy.id,
        wanted="copy",
        reason=f"the second gallery has another version there, made from {copy.parent or 'a bake'}",
        protector=copy.id,
        command=f"az resource show --ids {copy.id}",
    )


def _nothing(subject: str, why: str, command: str) -> Refusal:
    return Refusal(subject=subject, wanted="copy", reason=why, command=command)


def plan_gallery_switch(
    spec: ImageSpec,
    inventory: Inventory,
    other: str,
    *,
    now: dt.datetime,
    without: frozenset[str] = frozenset(),
) -> RolloutPlan:
    """The plan that brings every scale set to *inventory*'s gallery, from the one called *other*.

    Each gets what its ring has there. Regions *without* are left alone, because they are lost;
    no other freeze or gate keeps it from being done, as it is with a rollback. Raises nothing:
    what cannot be moved is refused by name.
    """
    rings = rings_of(spec, VersionIndex(inventory))
    kin = frozenset({key(f"{other}/images/{spec.gallery.definition}")})
    actions: list[Action] = []
    refusals: list[Refusal] = []
    due: list[PendingAction] = []
    for ring in rings.rings:
        mine = scale_sets_by_ring(inventory, rings.rings)[ring.name]
        refusals += [_left_out(one) for one in mine if one.region in without]
        there = [one for one in mine if one.region not in without]
        goal = _goal(rings, ring)
        if goal is None:
            refusals.append(_no_goal(spec, rings, ring))
            continue
        actions += _await(goal, there)
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
    """*ring* in every region in which *goal* has replicas."""
    return ring.model_copy(update={"regions": tuple(sorted(goal.regions))})


def _goal(rings: Rings, ring: Ring) -> GalleryVersion | None:
    """What serves *ring*: the last it had that is good still."""
    seats = rings.history(ring.name)
    return next((one.version for one in seats if rings.good(one.version, ring)), None)


def _await(goal: GalleryVersion, there: Iterable[ScaleSet]) -> list[Action]:
    need = frozenset(one.region for one in there) & frozenset(goal.regions)
    late = frozenset(name for name in need if goal.regions[name] != COMPLETED)
    if not late:
        return []
    why = "a machine can be made only where a replica is complete"
    return [AwaitReplicas(subject=goal.id, reason=why, regions=late)]


def _waits_first(actions: Iterable[Action]) -> tuple[Action, ...]:
    return tuple(sorted(actions, key=lambda one: not isinstance(one, AwaitReplicas)))


def _left_out(one: ScaleSet) -> Refusal:
    return Refusal(
        subject=one.id,
        wanted="move",
        reason=f"its region {one.region} is left out",
        protector=one.region,
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
