"""Promotion of a version to a ring: its preconditions and its steps in order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

from imagebake.azure.model.fleet import Inventory, ScaleSet
from imagebake.azure.model.gallery import TAG_PROOF, TAG_RETIRED, TAG_RING, GalleryVersion
from imagebake.azure.resources.resource_ids import key, spoken
from imagebake.rollout.audience import plan_moves, scale_sets_by_ring
from imagebake.rollout.freezes import RolloutGate
from imagebake.rollout.model.actions import (
    Action,
    AwaitReplicas,
    BlockDeletion,
    Hide,
    MarkCurrent,
    Override,
    OverrideFreeze,
    Publish,
    Show,
    Unretire,
)
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import PendingAction, Refusal, RolloutPlan
from imagebake.rollout.model.rings import Rings, has_passed_proof
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.rings import Ring

Wanted = Mapping[str, GalleryVersion | None]
"""The version that is to be current, by ring."""


def current_versions(rings: Rings) -> dict[str, GalleryVersion | None]:
    """Return the current version of each ring."""
    return {name: rings.current(name) for name in rings.names}


def latest_actions(rings: Rings, wanted: Wanted, *, reason: str) -> tuple[Action, ...]:
    """Return the actions that make `latest` follow *wanted*.

    In each region, the last ring with it decides. Versions are shown before others are hidden,
    so that a region always has a latest. Older versions stay shown, because `latest` resolves
    to the highest number. A region whose ring has no version yet is left alone.
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


COMPLETED = "Completed"
Heartbeats = Mapping[str, Mapping[str, bool]]
"""Whether the last heartbeat of a version in a ring succeeded: by ring, then by version id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionSteps:
    """Steps that bring one version to one ring, and the results for its scale sets.

    *published* is the version after the steps, as input for the steps of another ring.
    """

    actions: tuple[Action, ...]
    refusals: tuple[Refusal, ...] = ()
    due: tuple[PendingAction, ...] = ()
    published: GalleryVersion


def promote_plan(
    spec: ImageSpec,
    inventory: Inventory,
    version: str,
    ring: str,
    *,
    now: dt.datetime,
    gate: RolloutGate,
    heartbeats: Heartbeats | None = None,
    override: str | None = None,
) -> RolloutPlan:
    """Plan the manual promotion of *version*, an id, to *ring*; `KeyError` if either is unknown.

    The soak time is not enforced. Health, proof, revocation, holds and the previous ring are.
    *override* is the reason for overruling proof, heartbeat, revocation, previous ring and
    freeze; it is recorded.
    """
    rings = rings_of(spec, VersionIndex(inventory))
    target, candidate = rings.ring(ring), rings.index.versions[key(version)]
    title = f"Promote {spoken(candidate.id)} to ring {ring}"
    refusals, recorded = _overruled(
        promotion_obstacles(rings, candidate, target, heartbeats), candidate, target, now, override
    )
    if refusals:
        return RolloutPlan(title=title, at=now, refusals=refusals).gated_by(gate, override)
    audience = scale_sets_by_ring(inventory, rings.rings)[ring]
    done = promotion_steps(
        rings, spec, candidate, target, audience, now=now, reason="requested by hand"
    )
    if override and not gate.open:
        recorded += (OverrideFreeze(subject=candidate.id, reason=override, at=now),)
    actions = (*_unretire(candidate), *recorded, *done.actions)
    plan = RolloutPlan(title=title, at=now, actions=actions, refusals=done.refusals, due=done.due)
    return plan.gated_by(gate, override)


def rings_of(spec: ImageSpec, index: VersionIndex) -> Rings:
    """Return the rings of *spec* over the versions of its definition."""
    return Rings(index, index.named(spec.gallery.definition), spec.rollout_rings)


def promotion_obstacles(
    rings: Rings, version: GalleryVersion, ring: Ring, heartbeats: Heartbeats | None = None
) -> dict[str, Refusal]:
    """Return the refusals that keep *version* out of *ring*, by kind."""
    image = spoken(rings.definition)
    found: dict[str, tuple[str, str]] = {}
    if not version.healthy:
        found["health"] = (rings.why_not_good(version, ring), f"./inv show {spoken(version.id)}")
    if revocation := rings.revoked(version, ring.name):
        why = f"it is revoked {rings.why_revoked(version, revocation)}"
        found["revoked"] = (why, f"./inv show {spoken(revocation.origin)}")
    if hold := rings.held(version):
        found["hold"] = (f"it is held: {hold}", f"./inv status {image}")
    if ring.proof and not has_passed_proof(version) and not rings.overruled(version, ring.name):
        proof = version.tags.get(TAG_PROOF)
        why = f"its proof is {proof!r}" if proof else "it has no proof"
        found["proof"] = (f"{why}, and ring {ring.name} requires a passed one", _prove(version))
    before = _before(rings, ring)
    if before and TAG_RING + before.name not in version.tags:
        why = f"it was never current in ring {before.name}, which comes before {ring.name}"
        found["skipped"] = (why, f"./inv promote {spoken(version.id)} --ring {before.name}")
    if ring.heartbeat and before:
        beat = (heartbeats or {}).get(before.name, {}).get(key(version.id))
        if not beat:
            why = f"its heartbeat in ring {before.name} is {'unknown' if beat is None else 'bad'}"
            found["heartbeat"] = (why, f"./inv heartbeat {image}")
    return {
        kind: Refusal(
            subject=version.id,
            wanted=f"promote to {ring.name}",
            reason=why,
            protector=kind,
            command=command,
        )
        for kind, (why, command) in found.items()
    }


def promotion_steps(
    rings: Rings,
    spec: ImageSpec,
    version: GalleryVersion,
    ring: Ring,
    audience: tuple[ScaleSet, ...],
    *,
    now: dt.datetime,
    reason: str,
    wanted: Wanted | None = None,
    again: bool = False,
) -> PromotionSteps:
    """Return the steps that bring *version* to *ring*, without those already done.

    *wanted* are the versions that will be current in the other rings after the plan.
    """
    actions, published = _replicas(spec, version, ring, reason)
    current = rings.current(ring.name)
    if current is None or key(current.id) != key(version.id):
        actions.append(MarkCurrent(subject=version.id, reason=reason, ring=ring.name, at=now))
    goal = {**current_versions(rings), **(wanted or {}), ring.name: published}
    actions += _shown_after(rings, published, goal, reason)
    if not version.guarded:
        # Azure then refuses a deletion by anyone, until the end of life.
        actions.append(
            BlockDeletion(subject=version.id, reason=f"ring {ring.name} depends on it", on=True)
        )
    why = f"ring {ring.name} gets {version.version}"
    moved = plan_moves(rings, ring, version, audience, reason=why, again=again)
    return PromotionSteps(
        actions=(*actions, *moved.actions),
        refusals=moved.refusals,
        due=moved.due,
        published=published,
    )


def _replicas(
    spec: ImageSpec, version: GalleryVersion, ring: Ring, reason: str
) -> tuple[list[Action], GalleryVersion]:
    """Return the actions for the ring's replicas, and the version as it is afterwards."""
    asked = {region.name: region.replicas for region in spec.regions}
    have = {name: version.replicas.get(name, asked.get(name, 1)) for name in version.regions}
    # Replica counts are never lowered here: other rings may depend on them.
    need = {name: max(asked.get(name, 1), have.get(name, 0)) for name in ring.regions}
    actions: list[Action] = []
    after = version
    if any(have.get(name) != count for name, count in need.items()):
        # New regions start hidden: latest must not resolve to a replica that is not complete.
        new = frozenset(need) - frozenset(have)
        hidden = frozenset(have) - version.shown | new
        replicas = dict(sorted((have | need).items()))
        actions.append(Publish(subject=version.id, reason=reason, replicas=replicas, hidden=hidden))
        regions = {**version.regions, **dict.fromkeys(new, "Unknown")}
        after = replace(version, regions=regions, excluded=hidden, hidden=not version.shown)
    waiting = frozenset(name for name in need if after.regions.get(name) != COMPLETED)
    if waiting:
        why = "a machine can be made only where a replica is complete"
        actions.append(AwaitReplicas(subject=version.id, reason=why, regions=waiting))
    return actions, after


def _shown_after(
    rings: Rings, published: GalleryVersion, wanted: Wanted, reason: str
) -> tuple[Action, ...]:
    """Return the actions on `latest` once *published* has its new regions."""
    here = Rings(rings.index, rings.definition, rings.rings)
    here.versions = [
        published if key(version.id) == key(published.id) else version for version in rings.versions
    ]
    return latest_actions(here, wanted, reason=reason)


def _overruled(
    found: dict[str, Refusal],
    version: GalleryVersion,
    ring: Ring,
    now: dt.datetime,
    override: str | None,
) -> tuple[tuple[Refusal, ...], tuple[Action, ...]]:
    """Return the refusals that remain with *override*, and the action that records it."""
    if not override:
        return tuple(found.values()), ()
    left = tuple(found[kind] for kind in ("health", "hold") if kind in found)
    if left or not found:
        return left, ()
    return (), (Override(subject=version.id, reason=override, ring=ring.name, at=now),)


def _unretire(version: GalleryVersion) -> tuple[Action, ...]:
    if TAG_RETIRED not in version.tags:
        return ()
    return (Unretire(subject=version.id, reason="a version of a ring has no end of life"),)


def _before(rings: Rings, ring: Ring) -> Ring | None:
    position = rings.names.index(ring.name)
    return rings.rings[position - 1] if position else None


def _prove(version: GalleryVersion) -> str:
    return f"./inv validate {spoken(version.id)}"
