"""Planners of a rotation, a promotion and a rollback.

A planner reads what does not change while a command waits for its claim (the gate, the last
heartbeats) once, and then makes a plan of whatever the inventory is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imagebake.azure.model.fleet import Inventory
from imagebake.kernel.context import Context
from imagebake.kernel.errors import UsageError
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.operation import Planner, RolloutContext
from imagebake.rollout.promote import Heartbeats, promote_plan, rings_of
from imagebake.rollout.rollback import rollback_plan
from imagebake.rollout.rotation import rotate_plan
from imagebake.spec.model.image_spec import ImageSpec

HeartbeatReader = Callable[[Context, ImageSpec], Heartbeats | None]
"""Reads what the last heartbeats found of an image; None where no ring of it asks for any.

It is passed in, because heartbeats are made of rollouts and not the other way round.
"""


def rotation_planner(
    at: RolloutContext, spec: ImageSpec, override: str = "", *, heartbeats: HeartbeatReader
) -> Planner:
    """Return the planner that moves *spec*'s image on by its policy."""
    # Read once: a plan is made again after the claim, and must not differ for another reason than
    # the inventory.
    gate, beats = at.gate([spec]), heartbeats(at.context, spec)

    def plan(inventory: Inventory) -> RolloutPlan:
        return rotate_plan(
            spec,
            inventory,
            now=at.now(),
            gate=gate,
            heartbeats=beats,
            override=override or None,
        )

    return plan


def promotion_planner(
    at: RolloutContext,
    spec: ImageSpec,
    ring: str,
    wanted: str | None,
    override: str = "",
    *,
    heartbeats: HeartbeatReader,
) -> Planner:
    """Return the planner that brings version *wanted* to *ring*.

    Without *wanted* it is the version that is current in the ring before.
    """
    gate, beats = at.gate([spec]), heartbeats(at.context, spec)

    def plan(inventory: Inventory) -> RolloutPlan:
        return promote_plan(
            spec,
            inventory,
            _version_to_promote(spec, ring, wanted, inventory),
            ring,
            now=at.now(),
            gate=gate,
            heartbeats=beats,
            override=override or None,
        )

    return plan


def rollback_planner(
    at: RolloutContext,
    spec: ImageSpec,
    ring: str | None,
    wanted: str | None,
    *,
    reason: str,
    override: str = "",
) -> Planner:
    """Return the planner that revokes version *wanted* and goes back to the one before.

    Without *wanted* it is the version that became current last.
    """

    def plan(inventory: Inventory) -> RolloutPlan:
        bad = version_id(spec, wanted, inventory) if wanted else None
        return rollback_plan(
            spec, inventory, ring, reason, now=at.now(), version=bad, override=override or None
        )

    return plan


def _version_to_promote(
    spec: ImageSpec, ring: str, wanted: str | None, inventory: Inventory
) -> str:
    """Return the id of the version *wanted*, or of what the ring before *ring* has."""
    if wanted:
        return version_id(spec, wanted, inventory)
    rings = rings_of(spec, VersionIndex(inventory))
    position = rings.names.index(ring)
    if position:
        before = rings.names[position - 1]
        found = rings.current(before)
        why = f"ring {before} has no current version"
    else:
        usable = [
            version
            for version in rings.versions
            if version.healthy and not rings.revoked(version, ring)
        ]
        found, why = (usable[-1] if usable else None), f"no version of {spec.name} can be used"
    if found is None:
        raise UsageError(why, hint=f"name one: ./inv promote {spec.name}@VERSION --ring {ring}")
    return found.id


def version_id(spec: ImageSpec, wanted: str, inventory: Inventory) -> str:
    """Return the id of version *wanted* of *spec*; raises `UsageError` where there is none."""
    versions = inventory.of(spec.gallery.definition)
    for version in versions:
        if str(version.version) == wanted:
            return version.id
    newest = ", ".join(str(version.version) for version in versions[-5:]) or "none"
    raise UsageError(
        f"there is no version {wanted} of {spec.name}", hint=f"the newest ones: {newest}"
    )


def require_ring(spec: ImageSpec, ring: str) -> str:
    """Return *ring*; raises `UsageError` with the rings of *spec* if it is none of them."""
    names: Sequence[str] = [ring.name for ring in spec.rollout_rings]
    if ring not in names:
        message = f"{spec.name} has no ring {ring!r}" if ring else "say to which ring"
        raise UsageError(message, hint=f"its rings: {', '.join(names)}")
    return ring
