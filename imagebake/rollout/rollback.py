"""Rollback: revoke and hide the bad version, make the previous good one current again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from imagebake.azure.model.fleet import Inventory, ScaleSet
from imagebake.azure.model.gallery import (
    EVERYWHERE,
    FOREVER,
    TAG_REVOKED,
    TAG_RING,
    GalleryVersion,
    read_revoked,
    written_time,
)
from imagebake.azure.resources.resource_ids import definition_of, key, name_of, spoken
from imagebake.rollout.audience import scale_sets_by_ring
from imagebake.rollout.model.actions import (
    Action,
    AwaitReplicas,
    BlockDeletion,
    Hide,
    MarkCurrent,
    Override,
    Publish,
    Revoke,
    Show,
)
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import Refusal, RolloutPlan
from imagebake.rollout.model.rings import Rings
from imagebake.rollout.promote import PromotionSteps, Wanted, promotion_steps, rings_of
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.rings import Ring

AGAIN = dt.timedelta(hours=1)
"""Time after a rollback during which another one of the same image must name its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackCase:
    """Subject of a rollback: *bad* is revoked for *scope* and later rings, or everywhere.

    *known* is set if it is revoked already and its rollback is being finished.
    """

    bad: GalleryVersion
    scope: str
    known: bool


def find_case(
    rings: Rings, inventory: Inventory, ring: str | None, version: str | None, now: dt.datetime
) -> RollbackCase | RolloutPlan:
    """Determine the version and scope of a rollback.

    Without *version* it is the unfinished rollback, or else the latest assignment. Returns a
    plan without actions if a rollback has just ended or no ring has a current version.
    """
    scope = ring or EVERYWHERE
    reach = _reach(rings, scope)
    if version is None:
        return _begun(rings, inventory, reach, now) or _newest(rings, reach, scope)
    bad = rings.index.versions[key(version)]
    known = all(rings.revoked(bad, affected.name) for affected in reach)
    return RollbackCase(bad=bad, scope=_wider(rings, bad, scope), known=known)


def is_affected(
    before: Rings, after: Rings, ring: Ring, affected: set[str], audience: Sequence[ScaleSet]
) -> bool:
    """Whether *ring* has, uses or shows any of *affected* that is revoked *after*."""
    revoked = [
        version
        for version in after.versions
        if key(version.id) in affected and after.revoked(version, ring.name)
    ]
    names = {key(version.id) for version in revoked}
    current = before.current(ring.name)
    if current and key(current.id) in names:
        return True
    if any(name in names for scale_set in audience for name in images_of(scale_set)):
        return True
    return any(before.last_with(region) == ring for version in revoked for region in version.shown)


def images_of(scale_set: ScaleSet) -> Iterator[str]:
    """Yield the normalised ids of the images of a scale set's model and instances."""
    yield key(scale_set.image)
    for instance in scale_set.instances:
        yield key(instance.exact or instance.image)


def _wider(rings: Rings, bad: GalleryVersion, scope: str) -> str:
    """Return *scope*, or the wider scope that *bad* is already revoked for."""
    if TAG_REVOKED not in bad.tags or scope == EVERYWHERE:
        return scope
    old, _ = read_revoked(bad.tags[TAG_REVOKED])
    if old not in rings.names:
        return EVERYWHERE
    # The earlier ring is the wider scope: later rings are included.
    return min(old, scope, key=rings.names.index)


def _reach(rings: Rings, scope: str) -> list[Ring]:
    start = 0 if scope == EVERYWHERE else rings.names.index(scope)
    return list(rings.rings[start:])


def _begun(
    rings: Rings, inventory: Inventory, reach: Sequence[Ring], now: dt.datetime
) -> RollbackCase | RolloutPlan | None:
    """Return the unfinished rollback in *reach*, or a note that one has just ended."""
    audience = scale_sets_by_ring(inventory, rings.rings)
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
            return RollbackCase(bad=version, scope=EVERYWHERE, known=True)
    own = [
        (read_revoked(version.tags[TAG_REVOKED])[1], version)
        for version in revoked
        if TAG_REVOKED in version.tags
    ]
    since, last = max(own, key=lambda pair: (pair[0], pair[1].version), default=(None, None))
    if since is None or last is None or since == FOREVER or not now - since < AGAIN:
        return None
    image = name_of(rings.definition)
    return RolloutPlan(
        title=f"Roll back {image}",
        at=now,
        notes=(
            f"{spoken(last.id)} was revoked at {since:%H:%M} UTC, and nothing uses it any more.",
            f"To go back further, name the version: ./inv rollback {image}@VERSION.",
        ),
    )


def _newest(rings: Rings, reach: Sequence[Ring], scope: str) -> RollbackCase | RolloutPlan:
    """Return the latest assignment of any ring in *reach*."""
    assignments = [assignments[0] for ring in reach if (assignments := rings.history(ring.name))]
    if not assignments:
        refusal = Refusal(
            subject=rings.definition,
            wanted="roll back",
            reason="no ring has a current version",
            command=f"./inv status {name_of(rings.definition)}",
        )
        return RolloutPlan(
            title=f"Roll back {name_of(rings.definition)}",
            at=rings.index.inventory.at,
            refusals=(refusal,),
        )
    newest = max(assignments, key=lambda assignment: (assignment.since, assignment.version.version))
    bad = newest.version
    return RollbackCase(bad=bad, scope=_wider(rings, bad, scope), known=False)


def find_orphaned_rings(
    before: VersionIndex, after: VersionIndex, own: str
) -> list[tuple[GalleryVersion, str]]:
    """Return versions of other images whose ring would lose its last good version."""
    found = []
    others = {definition_of(name) for name in before.versions} - {own}
    for definition in sorted(others):
        names = {
            name.removeprefix(TAG_RING)
            for version in before.of(definition)
            for name in version.tags
            if name.startswith(TAG_RING)
        }
        for name in sorted(names):
            # The other image's spec is not at hand; its rings are known from tags alone.
            ring = Ring.model_construct(name=name, regions=(), proof=False)
            was = _good_versions(Rings(before, definition, (ring,)), ring)
            left = _good_versions(Rings(after, definition, (ring,)), ring)
            if was and not left:
                found.append((was[0], name))
    return found


def orphaned_ring_refusal(version: GalleryVersion, ring: str) -> Refusal:
    """Refuse a revocation that would leave *ring* of another image without *version*."""
    return Refusal(
        subject=version.id,
        wanted="revoke its parent version",
        reason=f"ring {ring} of {version.definition} would be left without a good version",
        protector=version.id,
        command=f"./inv status {version.definition}",
    )


def keep_override(version: GalleryVersion, ring: str, why: str, now: dt.datetime) -> Override:
    """Return the override that keeps *version* in *ring*, dated just after the revocation."""
    # An override counts only if it is later than the revocation it overrules.
    at = now + dt.timedelta(seconds=1)
    return Override(subject=version.id, reason=why, ring=ring, at=at)


def _good_versions(rings: Rings, ring: Ring) -> list[GalleryVersion]:
    return [
        assignment.version
        for assignment in rings.history(ring.name)
        if rings.good(assignment.version, ring)
    ]


_NAMED = 10
# Revoking and hiding stop new machines from using the bad version within seconds; replicas and
# rolling upgrades take minutes to hours.
_ORDER = (Override, Revoke, MarkCurrent, Hide, Publish, AwaitReplicas, Show, BlockDeletion)


def rollback_plan(
    spec: ImageSpec,
    inventory: Inventory,
    ring: str | None,
    reason: str,
    *,
    now: dt.datetime,
    version: str | None = None,
    override: str | None = None,
) -> RolloutPlan:
    """Plan the rollback of a bad version. Freezes do not apply.

    The bad version is *version* (its id), or else the latest assignment in *ring*, or in any
    ring. An unfinished rollback is finished first. *override* is the reason for keeping
    versions of other images that were made from the bad one. Raises `KeyError` for an unknown
    ring or version.
    """
    before = rings_of(spec, VersionIndex(inventory))
    if ring is not None:
        before.ring(ring)
    case = find_case(before, inventory, ring, version, now)
    if isinstance(case, RolloutPlan):
        return case
    return _plan(spec, inventory, before, case, reason, now=now, override=override)


def _plan(
    spec: ImageSpec,
    inventory: Inventory,
    before: Rings,
    case: RollbackCase,
    reason: str,
    *,
    now: dt.datetime,
    override: str | None,
) -> RolloutPlan:
    title = f"Roll back {spoken(case.bad.id)}"
    why = f"it takes the place of {case.bad.version}"
    after = rings_of(spec, VersionIndex(_with_revoked(inventory, case, now)))
    affected = set(before.index.affected_by(case.bad.id))
    audience = scale_sets_by_ring(inventory, before.rings)
    affected_rings = _affected_rings(before, after, affected, audience)
    goals = {ring.name: _goal(after, ring) for ring in affected_rings}
    orphans = find_orphaned_rings(before.index, after.index, before.definition)
    notes = _notes(case, affected, before)
    lacking = [ring for ring in affected_rings if goals[ring.name] is None]
    refusals = [_no_target(before, after, ring, case.bad, affected) for ring in lacking]
    if not override:
        refusals += [orphaned_ring_refusal(version, name) for version, name in orphans]
    if refusals:
        return RolloutPlan(title=title, at=now, refusals=tuple(refusals), notes=notes)
    actions: list[Action] = [
        keep_override(version, name, override or "", now) for version, name in orphans
    ]
    if not case.known:
        actions.append(Revoke(subject=case.bad.id, reason=reason, ring=case.scope, at=now))
    back = [
        _back(spec, after, ring, audience[ring.name], goals, reason=why, now=now)
        for ring in affected_rings
    ]
    actions += [action for done in back for action in done.actions]
    return RolloutPlan(
        title=title,
        at=now,
        actions=tuple(_in_order(actions)),
        refusals=tuple(refusal for done in back for refusal in done.refusals),
        due=tuple(due for done in back for due in done.due),
        notes=notes,
        facts={
            "rollback_minutes": spec.objectives.rollback_minutes,
            "serves": {name: str(goal.version) for name, goal in goals.items() if goal},
        },
    )


def _affected_rings(
    before: Rings,
    after: Rings,
    affected: set[str],
    audience: Mapping[str, tuple[ScaleSet, ...]],
) -> list[Ring]:
    return [
        ring
        for ring in before.rings
        if is_affected(before, after, ring, affected, audience[ring.name])
    ]


def _back(
    spec: ImageSpec,
    after: Rings,
    ring: Ring,
    audience: tuple[ScaleSet, ...],
    goals: Wanted,
    *,
    reason: str,
    now: dt.datetime,
) -> PromotionSteps:
    """Return the steps that bring one ring back to a good version."""
    goal = goals[ring.name]
    assert goal is not None  # noqa: S101 - what lacks one has been refused
    return promotion_steps(
        after, spec, goal, ring, audience, now=now, reason=reason, wanted=goals, again=True
    )


def _with_revoked(inventory: Inventory, case: RollbackCase, now: dt.datetime) -> Inventory:
    """Return *inventory* as it is once the bad version is revoked."""
    if case.known:
        return inventory
    revoked = replace(
        case.bad, tags={**case.bad.tags, TAG_REVOKED: f"{written_time(now)} {case.scope}"}
    )
    versions = tuple(revoked if version is case.bad else version for version in inventory.versions)
    return replace(inventory, versions=versions)


def _goal(after: Rings, ring: Ring) -> GalleryVersion | None:
    """Return the latest assignment of *ring* that is still good."""
    return next(
        (
            assignment.version
            for assignment in after.history(ring.name)
            if after.good(assignment.version, ring)
        ),
        None,
    )


def _no_target(
    before: Rings, after: Rings, ring: Ring, bad: GalleryVersion, affected: set[str]
) -> Refusal:
    """Refuse to roll back *ring* and name a version that would serve it."""
    image = name_of(before.definition)
    serving = [
        version
        for version in reversed(after.versions)
        if key(version.id) not in affected and after.good(version, ring)
    ]
    # A version that was current somewhere has been in use, which others have not.
    seated = [
        version for version in serving if any(name.startswith(TAG_RING) for name in version.tags)
    ]
    best = next(iter(seated or serving), None)
    why = f"ring {ring.name} has no earlier good version"
    if best is None:
        why += ", and the gallery has none"
        command = f"./inv bake {image}"
    else:
        why += f"; {best.version} would serve"
        command = f"./inv promote {image}@{best.version} --ring {ring.name}"
    return Refusal(
        subject=bad.id,
        wanted=f"roll back ring {ring.name}",
        reason=why,
        protector=f"ring {ring.name}",
        command=command,
    )


def _in_order(actions: Iterable[Action]) -> list[Action]:
    """Return each action once, most urgent first: revoke and hide before moving scale sets."""
    once: dict[str, Action] = {}
    for action in actions:
        once.setdefault(repr(action.identity()), action)
    return sorted(
        once.values(),
        key=lambda action: _ORDER.index(type(action)) if type(action) in _ORDER else len(_ORDER),
    )


def _notes(case: RollbackCase, affected: set[str], rings: Rings) -> tuple[str, ...]:
    notes = []
    if case.known:
        notes.append(f"{spoken(case.bad.id)} is revoked already: this finishes its rollback.")
    related = sorted(affected - {key(case.bad.id)})
    if related:
        named = ", ".join(map(spoken, related[:_NAMED])) + (" and more" if related[_NAMED:] else "")
        notes.append(f"Also revoked, because they have its content or were made from it: {named}.")
    others = sorted({definition_of(name) for name in related} - {rings.definition})
    notes += [
        f"Run ./inv rollback {name_of(definition)} to finish it there." for definition in others
    ]
    return tuple(notes)
