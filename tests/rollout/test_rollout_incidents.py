"""How peers lost images, one test each: none of it can happen here."""

from __future__ import annotations

import datetime as dt
from typing import Any

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import key
from imagebake.rollout.freezes import OPEN
from imagebake.rollout.model.actions import Delete, Retire
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.protections import RetirementPolicy
from imagebake.rollout.quota import quotas
from imagebake.rollout.retire import decide_retirement, quota_relief, retire_plan
from imagebake.spec.model.rings import Retirement, Ring
from tests.rollout.world import World
from tests.support.fleets import (
    NOW,
    a_machine,
    a_rollout_spec,
    a_scale_set,
    a_version,
    ago,
    an_inventory,
    version_id,
)

RINGS = (Ring(name="broad", regions=("westeurope",)),)
TERMS: dict[str, Any] = {"keep": 3, "minimum_age_days": 7, "grace_days": 7, "most_per_run": 1000}


def decided(inventory: Inventory, **terms: int) -> RolloutPlan:
    policy = RetirementPolicy(RINGS, Retirement(**TERMS | terms))
    return retire_plan({"demo": policy}, inventory, now=NOW, gate=OPEN)


def going(plan: RolloutPlan) -> set[str]:
    return {key(one.subject) for one in plan.actions}


def why(plan: RolloutPlan, number: str) -> str:
    return next(one.reason for one in plan.refusals if one.subject == version_id(number))


def test_a_missing_date_is_not_read_as_an_old_one() -> None:
    """AgentBaker #9397: `null < "x"` is true in jq, so 39 versions in use were deleted."""
    nothing: dict[str, Any] = {"tags": {"imagebake-proof": ""}, "published": None}
    versions = [a_version(f"2026.801.{n}", **nothing) for n in range(39)]
    machines = tuple(a_machine(f"m{n}", one.id) for n, one in enumerate(versions))

    used = decided(an_inventory(*versions, machines=machines))
    unused = decided(an_inventory(*versions), keep=1)

    assert not used.actions
    assert not unused.actions
    assert "runs it" in why(used, "2026.801.0")
    assert why(unused, "2026.801.0") == "its age is unknown"
    assert all(one.command for one in (*used.refusals, *unused.refusals))


def test_failed_bakes_do_not_take_the_place_of_good_ones() -> None:
    """azuredevops-buildagents #103: the last three were failed bakes, and the good one went."""
    good = a_version("2026.801.0")
    failed = [a_version(f"2026.90{n}.0", state="Failed") for n in range(1, 4)]
    unproved = [
        a_version(f"2026.91{n}.0", tags={"imagebake-proof": "failed 12"}) for n in range(1, 4)
    ]

    plan = decided(an_inventory(good, *failed, *unproved), keep=1)

    assert key(good.id) not in going(plan)
    assert why(plan, "2026.801.0") == "it is one of the newest 1 good versions"
    assert {key(one.id) for one in failed} <= going(plan)


def a_full_gallery(count: int) -> tuple[GalleryVersion, ...]:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = (start + dt.timedelta(minutes=30 * number) for number in range(count))
    return tuple(
        a_version(f"2026.{when.month * 100 + when.day}.{number}", published=when)
        for number, when in enumerate(made)
    )


def test_a_gallery_that_fills_up_is_said_and_has_a_way_out() -> None:
    """AgentBaker #8435: no clean-up, and the 10,000th version stopped every build."""
    inventory = an_inventory(*a_full_gallery(7000))
    policies = {"demo": RetirementPolicy(RINGS, Retirement(**TERMS | {"most_per_run": 50}))}

    found = next(one for one in quotas(inventory) if one.kind == "versions")
    out = quota_relief(decide_retirement(policies, inventory, now=NOW), policies, inventory)
    plan = retire_plan(policies, inventory, now=NOW, gate=OPEN)

    assert found.warns
    assert "7,000 of 10,000 versions are used (70 %" in found.sentence
    assert (out.needed, out.runs) == (1, 1)
    assert any("7,000 of 10,000 versions" in note for note in plan.notes)
    assert len(plan.actions) == 50


def test_run_every_night_the_clean_up_keeps_away_from_the_quota() -> None:
    terms = TERMS | {"most_per_run": 60}
    world = World(specs={"demo": a_rollout_spec(rings=(), retirement=terms)})
    spec = world.specs["demo"]
    policies = {"demo": RetirementPolicy(spec.rollout_rings, spec.retirement)}

    for _ in range(60):
        for _ in range(20):
            world.bake("demo")
        world.now += dt.timedelta(days=1)
        plan = retire_plan(policies, world.inventory(), now=world.now, gate=OPEN)
        world.carry_out(plan)

    assert len(world.versions) <= 20 * (7 + 7 + 1) + 3


def test_what_a_concurrent_pipeline_is_making_stays() -> None:
    """AgentBaker #2767: a clean-up and a pipeline at once, of which one knew nothing of the other.

    What is being made, promoted or begun to be used between two looks stays: nothing is
    deleted in the run that hides it, and every protection is asked for again.
    """
    making = a_version("2026.801.0", state="Creating")
    changing = a_version("2026.802.0", state="Updating")
    fresh = a_version("2026.1122.0", published=NOW)
    old = a_version("2026.701.0")
    newer = [a_version(f"2026.100{n}.0") for n in range(1, 3)]

    first = decided(an_inventory(making, changing, fresh, old, *newer))
    assert going(first) == {key(old.id)}
    assert all(isinstance(one, Retire) for one in first.actions)

    tags = {"imagebake-retired": ago(days=8).isoformat()}
    retired = a_version("2026.701.0", tags=tags, end_of_life=ago(days=1))
    second = decided(
        an_inventory(retired, fresh, *newer, scale_sets=(a_scale_set("web", retired.id.upper()),))
    )
    third = decided(an_inventory(retired, fresh, *newer))

    assert not second.actions
    assert "scale set web has it as its model" in why(second, "2026.701.0")
    assert [type(one) for one in third.actions] == [Delete]
