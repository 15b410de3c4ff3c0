"""Scale sets of each ring, and the actions that move them to the ring's version."""

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
    """Actions that bring a ring's scale sets to a version, with refusals and failed upgrades."""

    actions: tuple[Action, ...]
    refusals: tuple[Refusal, ...]
    due: tuple[PendingAction, ...]
    failed: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """Whether every scale set that can run the version does so."""
        return not self.actions and not self.due


def scale_sets_by_ring(
    inventory: Inventory, rings: Iterable[Ring]
) -> dict[str, tuple[ScaleSet, ...]]:
    """Return the scale sets of each ring, by the ring's name.

    A scale set that matches several rings belongs to the last one, which soaks longest.
    """
    homes: dict[str, list[ScaleSet]] = {ring.name: [] for ring in rings}
    audiences = {ring.name: _named(ring.audience) for ring in rings}
    tags = {ring.name: ring.audience.tags for ring in rings}
    for scale_set in sorted(inventory.scale_sets, key=lambda scale_set: key(scale_set.id)):
        # An audience may name a scale set by its id or by its bare name.
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
    """Return the machines whose tags match each ring."""
    return {
        ring.name: tuple(
            machine for machine in inventory.machines if has_tags(machine.tags, ring.audience.tags)
        )
        for ring in rings
    }


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether *tags* contains all of *wanted*, which must not be empty; names ignore case."""
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
    related: frozenset[str] = frozenset(),
) -> ScaleSetMoves:
    """Plan the actions that bring *scale_sets*, those of *ring*, to *version*.

    Scale sets on the definitions *related* are accepted as well. A failed upgrade is left for a
    person to examine, and a running upgrade to another version is left alone, unless *again* is
    set.
    """
    actions: list[Action] = []
    refusals: list[Refusal] = []
    due: list[PendingAction] = []
    failed: list[str] = []
    moved = 0
    for scale_set in scale_sets:
        if refusal := _refuse_foreign(rings, ring, scale_set, related):
            refusals.append(refusal)
            continue
        right = _points_at(rings, ring, version, scale_set)
        if right and not has_lagging_instances(scale_set, version):
            continue
        # Wait for a running upgrade: it leads to this version, or it is not ours to cancel.
        if scale_set.upgrade is UpgradeState.RUNNING and (right or not again):
            due.append(
                PendingAction(subject=scale_set.id, wanted="its rolling upgrade is still running")
            )
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
    """Whether an instance runs another version, or may do so and was never upgraded."""
    settled = scale_set.upgrade is UpgradeState.DONE
    for instance in scale_set.instances:
        # Without either, the instance may run any version of its definition.
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
            reason="its model is right, but some instances run another version",
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
    """Whether the scale set's model means *version*, by its id or as its region's latest."""
    if is_version(scale_set.image):
        return key(scale_set.image) == key(version.id)
    if definition_of(scale_set.image) != rings.definition:
        return False
    # The model names the definition, so it gets whatever is latest in its region.
    return rings.last_with(scale_set.region).name == ring.name


def _refuse_foreign(
    rings: Rings, ring: Ring, scale_set: ScaleSet, related: frozenset[str]
) -> Refusal | None:
    """Refuse a scale set that runs another image or is in a region without replicas."""
    shows = f"az resource show --ids {scale_set.id}"
    if definition_of(scale_set.image) not in {rings.definition, *related}:
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
        reason="its rolling upgrade failed and is not retried automatically",
        protector=scale_set.id,
        command=f"az vmss rolling-upgrade get-latest --ids {scale_set.id}",
    )


def _named(audience: Audience) -> set[str]:
    return {key(name) for name in audience.scale_sets}
