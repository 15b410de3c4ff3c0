"""TODO docstring."""

from __future__ import annotations

from imagebake.azure.model.fleet import Inventory
from imagebake.heartbeat.history_report import heartbeats_of
from imagebake.kernel.errors import UsageError
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.operation import Decide, Place
from imagebake.rollout.promote import promote_plan, rings_of
from imagebake.rollout.rollback import rollback_plan
from imagebake.rollout.rotation import rotate_plan
from imagebake.spec.model.image_spec import ImageSpec


def rotation_planner(at: Place, spec: ImageSpec, override: str = "") -> Decide:
    """What decides how an image moves on by its policy."""
    closed, beats = at.gate([spec]), heartbeats_of(at.site, spec)

    def decide(inventory: Inventory) -> RolloutPlan:
        return rotate_plan(
            spec,
            inventory,
            now=at.now(),
            gate=closed,
            heartbeats=beats,
            override=override or None,
        )

    return decide


def promotion_planner(
    at: Place, spec: ImageSpec, ring: str, wanted: str | None, override: str = ""
) -> Decide:
    """What decides how version *wanted*, or what the ring before has, comes to *ring*."""
    closed, beats = at.gate([spec]), heartbeats_of(at.site, spec)

    def decide(inventory: Inventory) -> RolloutPlan:
        one = _meant(spec, ring, wanted, inventory)
        return promote_plan(
            spec,
            inventory,
            one,
            ring,
            now=at.now(),
            gate=closed,
            heartbeats=beats,
            override=override or None,
        )

    return decide


def rollback_planner(
    at: Place,
    spec: ImageSpec,
    ring: str | None,
    wanted: str | None,
    *,
    reason: str,
    override: str = "",
) -> Decide:
    """What decides how version *wanted*, or what became current last, is taken back."""

    def decide(inventory: Inventory) -> RolloutPlan:
        bad = version_id(spec, wanted, inventory) if wanted else None
        return rollback_plan(
            spec, inventory, ring, reason, now=at.now(), version=bad, override=override or None
        )

    return decide


def _meant(spec: ImageSpec, ring: str, wanted: str | None, inventory: Inventory) -> str:
    """The version to promote: the one named, or else what the ring before has."""
    if wanted:
        return version_id(spec, wanted, inventory)
    rings = rings_of(spec, VersionIndex(inventory))
    place_of = rings.names.index(ring)
    if place_of:
        before = rings.names[place_of - 1]
        found = rings.current(before)
        why = f"ring {before} has no current version"
    else:
        good = [one for one in rings.versions if one.healthy and not rings.revoked(one, ring)]
        found, why = (good[-1] if good else None), f"no version of {spec.name} can be used"
    if found is None:
        raise UsageError(why, hint=f"name one: ./inv promote {spec.name}@VERSION --ring {ring}")
    return found.id


def version_id(spec: ImageSpec, wanted: str, inventory: Inventory) -> str:
    """The id of version *wanted*; raises `UsageError` with those there are."""
    mine = inventory.of(spec.gallery.definition)
    for one in mine:
        if str(one.version) == wanted:
            return one.id
    newest = ", ".join(str(one.version) for one in mine[-5:]) or "none"
    raise UsageError(
        f"there is no version {wanted} of {spec.name}", hint=f"the newest ones: {newest}"
    )
