"""Rotation: plan promotions that are due after soaking, and retirement, for one image."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from imagebake.azure.model.fleet import Inventory, ScaleSet
from imagebake.azure.model.gallery import TAG_HOLD, TAG_RETIRED, GalleryVersion
from imagebake.azure.resources.resource_ids import definition_of, key, name_of, spoken
from imagebake.rollout.audience import plan_moves, scale_sets_by_ring
from imagebake.rollout.freezes import OPEN, RolloutGate
from imagebake.rollout.model.actions import Action, OverrideFreeze
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import PendingAction, Refusal, RolloutPlan
from imagebake.rollout.model.rings import Rings
from imagebake.rollout.promote import (
    Heartbeats,
    current_versions,
    promotion_obstacles,
    promotion_steps,
    rings_of,
)
from imagebake.rollout.protections import RetirementPolicy
from imagebake.rollout.retire import retire_plan
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.rings import Ring

_SHOWN_REFUSALS = 3
"""Number of refusals that are shown for versions newer than the chosen one."""


def rotate_plan(
    spec: ImageSpec,
    inventory: Inventory,
    *,
    now: dt.datetime,
    gate: RolloutGate,
    heartbeats: Heartbeats | None = None,
    override: str | None = None,
) -> RolloutPlan:
    """Plan everything that the policy of *spec*'s image asks for at *now*.

    Rings are planned from last to first: a version moves on before its place is taken. While
    the gate is closed all actions are blocked, unless *override* is given.
    """
    rings = rings_of(spec, VersionIndex(inventory))
    decision = _RotationDecision(rings, scale_sets_by_ring(inventory, rings.rings), now, heartbeats)
    decision.decide()
    actions = _steps(decision, spec)
    if actions and override and not gate.open:
        actions.insert(0, OverrideFreeze(subject=rings.id, reason=override, at=now))
    leaving = retire_plan(
        {rings.definition: RetirementPolicy(spec.rollout_rings, spec.retirement, spec.name)},
        inventory,
        now=now,
        gate=OPEN,
        sparing=[action.subject for action in actions],
    )
    return RolloutPlan(
        title=f"Rotate {spec.name}",
        at=now,
        actions=(*actions, *leaving.actions),
        refusals=(*decision.refusals, *leaving.refusals),
        due=(*decision.due, *leaving.due),
        notes=(*_unassigned_scale_sets(decision, inventory), *leaving.notes),
        facts=leaving.facts,
    ).gated_by(gate, override)


@dataclass(frozen=True, slots=True)
class _Goal:
    """The version that a ring should have: its current one, or one that is promoted to it."""

    version: GalleryVersion
    ring: Ring
    reason: str


class _RotationDecision:
    """Goals of each ring at *now*, and the reasons against further promotion."""

    def __init__(
        self,
        rings: Rings,
        audience: Mapping[str, tuple[ScaleSet, ...]],
        now: dt.datetime,
        heartbeats: Heartbeats | None,
    ) -> None:
        self.rings = rings
        self.audience = audience
        self.goals: list[_Goal] = []
        self.refusals: list[Refusal] = []
        self.due: list[PendingAction] = []
        self.now = now
        self._heartbeats = heartbeats
        self._moved_on: set[str] = set()

    def decide(self) -> None:
        """Decide on each ring, from last to first."""
        if hold := self.rings.index.tags_of(self.rings.definition).get(TAG_HOLD):
            self.refusals.append(_held(self.rings, hold))
            return
        for position in reversed(range(len(self.rings.rings))):
            self._decide(position, self.rings.rings[position])

    def _decide(self, position: int, ring: Ring) -> None:
        current = self.rings.current(ring.name)
        stopped = self._stopped(ring)
        if stopped:
            self.refusals.append(stopped)
        candidate = self._following(position, ring) if position else self._newest(ring)
        if candidate and (wait := self._unfinished(position, current, stopped=bool(stopped))):
            self.due.append(
                PendingAction(subject=candidate.id, wanted=f"promote to {ring.name}: {wait}")
            )
            candidate = None
        if candidate:
            if position:
                self._moved_on.add(self.rings.names[position - 1])
            self.goals.append(_Goal(candidate, ring, self._reason(position)))
        elif current and not stopped and self.rings.good(current, ring):
            self.goals.append(_Goal(current, ring, f"it is current in ring {ring.name}"))

    def _newest(self, ring: Ring) -> GalleryVersion | None:
        """Return the newest version fit for the first ring; record why newer ones are not."""
        current = self.rings.current(ring.name)
        refusals: list[Refusal] = []
        for version in reversed(self.rings.versions):
            if current and version.version <= current.version:
                break
            if TAG_RETIRED in version.tags or self.rings.revoked(version, ring.name):
                continue
            obstacles = promotion_obstacles(self.rings, version, ring, self._heartbeats)
            refusals += obstacles.values()
            if not obstacles:
                self.refusals += refusals[:_SHOWN_REFUSALS]
                return version
        self.refusals += refusals[:_SHOWN_REFUSALS]
        return None

    def _following(self, position: int, ring: Ring) -> GalleryVersion | None:
        """Return the current version of the previous ring if it may enter *ring* now."""
        before = self.rings.rings[position - 1]
        version, current = self.rings.current(before.name), self.rings.current(ring.name)
        if (
            version is None
            or TAG_RETIRED in version.tags
            or (current and version.version <= current.version)
        ):
            return None
        if obstacles := promotion_obstacles(self.rings, version, ring, self._heartbeats):
            self.refusals += obstacles.values()
            return None
        if self._stopped(before):
            return None
        if wait := self._soaking(before):
            why, until = wait
            due = PendingAction(
                subject=version.id, wanted=f"promote to {ring.name}: {why}", at=until
            )
            self.due.append(due)
            return None
        return version

    def _soaking(self, ring: Ring) -> tuple[str, dt.datetime | None] | None:
        """Return why the current version of *ring* has not soaked enough, and until when."""
        assignment = self.rings.history(ring.name)[0]
        if not plan_moves(
            self.rings, ring, assignment.version, self.audience[ring.name], reason=""
        ).converged:
            return f"its scale sets in ring {ring.name} are not on it yet", None
        until = assignment.since + dt.timedelta(hours=ring.soak_hours)
        if self.now < until:
            return f"it soaks in ring {ring.name} for {ring.soak_hours} h", until
        return None

    def _unfinished(self, position: int, current: GalleryVersion | None, *, stopped: bool) -> str:
        """Return why a ring waits with its next version: its current one may still move on."""
        ring = self.rings.rings[position]
        if current is None or stopped or ring is self.rings.rings[-1]:
            return ""
        following = self.rings.rings[position + 1]
        after = self.rings.current(following.name)
        has_left = ring.name in self._moved_on or (after and current.version <= after.version)
        if has_left or self.rings.why_not_good(current, ring):
            return ""
        if promotion_obstacles(self.rings, current, following, self._heartbeats):
            return ""
        return f"{current.version} is on its way from {ring.name} to {following.name}"

    def _stopped(self, ring: Ring) -> Refusal | None:
        """Refuse to go on in *ring* if more upgrades have failed than its error budget allows."""
        current = self.rings.current(ring.name)
        if current is None:
            return None
        failed = plan_moves(self.rings, ring, current, self.audience[ring.name], reason="").failed
        # Within the budget the ring counts as upgraded, without the failed scale sets.
        if len(failed) <= ring.error_budget:
            return None
        return Refusal(
            subject=current.id,
            wanted=f"go on in {ring.name}",
            reason=(
                f"{len(failed)} scale sets failed to upgrade, and the error budget of ring"
                f" {ring.name} is {ring.error_budget}"
            ),
            protector=f"ring {ring.name}",
            command=f"az vmss rolling-upgrade get-latest --ids {failed[0]}",
        )

    def _reason(self, position: int) -> str:
        if position == 0:
            return "it is the newest good version"
        before = self.rings.rings[position - 1]
        return f"it has been good in ring {before.name} for {before.soak_hours} h or more"


def _steps(decision: _RotationDecision, spec: ImageSpec) -> list[Action]:
    """Return the steps to every goal, each once; add refusals and pending actions to *decision*."""
    wanted = current_versions(decision.rings) | {
        goal.ring.name: goal.version for goal in decision.goals
    }
    actions: dict[str, Action] = {}
    published: dict[str, GalleryVersion] = {}
    for goal in decision.goals:
        done = promotion_steps(
            decision.rings,
            spec,
            published.get(goal.version.id, goal.version),
            goal.ring,
            decision.audience[goal.ring.name],
            now=decision.now,
            reason=goal.reason,
            wanted=wanted,
        )
        # The next ring's steps for the same version start from its replicas after these.
        published[goal.version.id] = done.published
        for action in done.actions:
            actions.setdefault(repr(action.identity()), action)
        decision.refusals += done.refusals
        decision.due += done.due
    return list(actions.values())


def _held(rings: Rings, hold: str) -> Refusal:
    return Refusal(
        subject=rings.id,
        wanted="rotate",
        reason=f"every version of it is held: {hold}",
        protector=rings.id,
        command=f"az tag list --resource-id {rings.id}",
    )


def _unassigned_scale_sets(decision: _RotationDecision, inventory: Inventory) -> tuple[str, ...]:
    """Note the scale sets that use the image and belong to no ring."""
    known = {
        key(scale_set.id) for scale_sets in decision.audience.values() for scale_set in scale_sets
    }
    left = [
        scale_set
        for scale_set in inventory.scale_sets
        if definition_of(scale_set.image) == decision.rings.definition
        and key(scale_set.id) not in known
    ]
    if not left:
        return ()
    names = ", ".join(spoken(scale_set.id) for scale_set in left[:5]) + (
        " and more" if left[5:] else ""
    )
    return (
        f"{len(left)} scale sets use {name_of(decision.rings.definition)} in no ring: {names}.",
    )
