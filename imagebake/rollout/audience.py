"""Which scale set belongs to which ring, and what it needs to be on the ring's version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from imagebake.azure.model.fleet import Inventory, Machine, ScaleSet, UpgradeState
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import definition_of, is_version, key
from imagebake.rollout.model.actions import Action, CancelUpgrade, Move, Upgrade
from imagebake.rollout.model.plan import PendingAction, Refusal
from imagebake.rollout.model.rings import Rings
from imagebake.spec.model.rings import Audience, Ring

Member = TypeVar("Member", ScaleSet, Machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSetMoves:
    """What brings a ring's scale sets to a version, what is in the way, and what failed."""

    actions: tuple[Action, ...]
    refusals: tuple[Refusal, ...]
    due: tuple[PendingAction, ...]
    failed: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Whether every scale set that can be there is there."""
        return not self.actions and not self.due


def scale_sets_by_ring(
    inventory: Inventory, rings: Iterable[Ring]
) -> dict[str, tuple[ScaleSet, ...]]:
    """The scale sets of each ring, by the ring's name.

    A scale set that several rings want belongs to the last one, which waits longest.
    """
    homes: dict[str, list[ScaleSet]] = {ring.name: [] for ring in rings}
    audiences = {ring.name: _named(ring.audience) for ring in rings}
    tags = {ring.name: ring.audience.tags for ring in rings}
    for scale_set in sorted(inventory.scale_sets, key=lambda scale_set: key(scale_set.id)):
        names = {key(scale_set.id), scale_set.name.lower()}
        wanting = [
            name
            for name, wanted in audiences.items()
            if wanted & names or has_tags(scale_set.tags, tags[name])
        ]
        if wanting:
            homes[wanting[-1]].append(scale_set)
    return {name: tuple(found) for name, found in homes.items()}


def machines_by_ring(inventory: Inventory, rings: Iterable[Ring]) -> dict[str, tuple[Machine, ...]]:
    """The machines that each ring names by their tags."""
    return {
        ring.name: tuple(
            machine for machine in inventory.machines if has_tags(machine.tags, ring.audience.tags)
        )
        for ring in rings
    }


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether *tags* has all of *wanted*, of which there is any; names in any case."""
    mine = {name.lower(): value for name, value in tags.items()}
    return bool(wanted) and all(mine.get(name.lower()) == text for name, text in wanted.items())


def plan_moves(
    rings: Rings,
    ring: Ring,
    version: GalleryVersion,
    scale_sets: Iterable[ScaleSet],
    *,
    reason: str,
    again: bool = False,
    kin: frozenset[str] = frozenset(),
) -> ScaleSetMoves:
    """What brings *scale_sets*, those of *ring*, to *version*.

    Scale sets of definitions in *kin* are the ring's, too. What has failed to upgrade to it is
    left for a person to look at, unless it is to be tried *again*; a running upgrade to
    something else is cancelled only then, too.
    """
    actions: list[Action] = []
    refusals: list[Refusal] = []
    due: list[PendingAction] = []
    failed: list[str] = []
    moved = 0
    for scale_set in scale_sets:
        if refusal := _stranger(rings, ring, scale_set, kin):
            refusals.append(refusal)
            continue
        right = _points_at(rings, ring, version, scale_set)
        if right and not has_lagging_instances(scale_set, version):
            continue
        if scale_set.upgrade is UpgradeState.RUNNING and (right or not again):
            due.append(PendingAction(subject=scale_set.id, wanted="its rolling upgrade ends"))
            continue
        if right and scale_set.upgrade is UpgradeState.FAILED and not again:
            failed.append(scale_set.id)
            refusals.append(_failure(scale_set))
            continue
        if scale_set.upgrade is UpgradeState.RUNNING:
            actions.append(CancelUpgrade(subject=scale_set.id, reason=reason))
        actions.append(_action(ring, scale_set, version, moved, right=right, reason=reason))
        moved += 1
    return ScaleSetMoves(
        actions=tuple(actions), refusals=tuple(refusals), due=tuple(due), failed=tuple(failed)
    )


def has_lagging_instances(scale_set: ScaleSet, version: GalleryVersion) -> bool:
    """Whether an instance runs something else, or may do so and was never upgraded."""
    settled = scale_set.upgrade is UpgradeState.DONE
    for instance in scale_set.instances:
        runs = instance.exact or (instance.image if is_version(instance.image) else None)
        if runs is None and not settled:
            return True
        if runs is not None and key(runs) != key(version.id):
            return True
    return False


def _action(  # the two ways to the same end
    ring: Ring, scale_set: ScaleSet, to: GalleryVersion, number: int, *, right: bool, reason: str
) -> Action:
    batch, most = number // ring.at_once + 1, ring.max_unavailable_percent
    if right:
        return Upgrade(
            subject=scale_set.id,
            reason="its model is right and its instances are not",
            etag=scale_set.etag,
            to=to.id,
            ring=ring.name,
            batch=batch,
            max_unavailable_percent=most,
        )
    return Move(
        subject=scale_set.id,
        reason=reason,
        etag=scale_set.etag,
        was=scale_set.image,
        to=to.id,
        ring=ring.name,
        batch=batch,
        max_unavailable_percent=most,
    )


def _points_at(rings: Rings, ring: Ring, version: GalleryVersion, scale_set: ScaleSet) -> bool:
    """Whether the scale set's model means *version*: by its id, or as its region's latest."""
    if is_version(scale_set.image):
        return key(scale_set.image) == key(version.id)
    if definition_of(scale_set.image) != rings.definition:
        return False
    return rings.last_with(scale_set.region).name == ring.name


def _stranger(rings: Rings, ring: Ring, scale_set: ScaleSet, kin: frozenset[str]) -> Refusal | None:
    """Why a scale set of the ring's audience is not the ring's to move."""
    shows = f"az resource show --ids {scale_set.id}"
    if definition_of(scale_set.image) not in {rings.definition, *kin}:
        why = f"it is on another image, {scale_set.image or 'none'}"
    elif scale_set.region not in ring.regions:
        why = f"it is in {scale_set.region}, where ring {ring.name} has no replicas"
    else:
        return None
    return Refusal(
        subject=scale_set.id, wanted="move", reason=why, protector=scale_set.id, command=shows
    )


def _failure(scale_set: ScaleSet) -> Refusal:
    return Refusal(
        subject=scale_set.id,
        wanted="move",
        reason="its rolling upgrade failed, and is not tried again by itself",
        protector=scale_set.id,
        command=f"az vmss rolling-upgrade get-latest --ids {scale_set.id}",
    )


def _named(audience: Audience) -> set[str]:
    return {key(name) for name in audience.scale_sets}
