from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from imagebake.azure.model.fleet import Definition
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import key
from imagebake.rollout.change_request import change_request
from imagebake.rollout.freezes import OPEN, GateState, RolloutGate
from imagebake.rollout.model.actions import Delete, OverrideFreeze, Retire
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.protections import RetirementPolicy
from imagebake.rollout.retire import retire_plan
from imagebake.spec.model.rings import Retirement
from tests.support.fleets import (
    GALLERY,
    GROUP,
    NOW,
    a_machine,
    a_rollout_spec,
    a_scale_set,
    a_version,
    ago,
    an_inventory,
    definition_id,
    revoked_tag,
    ring_tag,
    shown,
    version_id,
)
from tests.support.golden import Golden

OLD = "2026.801.0"
KEPT = [a_version(f"2026.100{n}.0") for n in range(1, 4)]
SPEC = a_rollout_spec()
POLICIES = {"demo": RetirementPolicy(SPEC.rollout_rings, Retirement(), "demo")}
CLOSED = RolloutGate(state=GateState.CLOSED, why="freeze: the sale (web-team)")


def decided(*versions: GalleryVersion, gate: RolloutGate = OPEN, **changes: Any) -> RolloutPlan:  # noqa: ANN401
    override = changes.pop("override", None)
    inventory = an_inventory(*versions, *KEPT, **changes)
    return retire_plan(POLICIES, inventory, now=NOW, gate=gate, override=override)


def retired(number: str = OLD, **changes: Any) -> GalleryVersion:  # noqa: ANN401
    tags = {"imagebake-retired": ago(days=8).isoformat()}
    fields: dict[str, Any] = {"tags": tags, "end_of_life": ago(days=1)}
    return a_version(number, **fields | changes)


def test_what_nothing_protects_is_hidden_first_and_dated() -> None:
    (action,) = decided(a_version(OLD, **shown(a_version(OLD), "westeurope"))).actions

    assert isinstance(action, Retire)
    assert action.end_of_life == NOW + dt.timedelta(days=7)


def test_what_is_past_its_end_of_life_is_deleted() -> None:
    (action,) = decided(retired()).actions

    assert isinstance(action, Delete)


def test_what_is_in_its_grace_period_is_due() -> None:
    until = NOW + dt.timedelta(hours=1)
    plan = decided(retired(end_of_life=until))

    assert not plan.actions
    assert [(one.wanted, one.at) for one in plan.due] == [("delete", until)]


@pytest.mark.parametrize(
    "changes",
    [
        {"end_of_life": None},
        shown(a_version(OLD), "westeurope"),
        {"tags": {}},
    ],
    ids=["no end of life", "shown", "no tag"],
)
def test_a_retirement_that_is_not_whole_is_begun_again(changes: dict[str, Any]) -> None:
    (action,) = decided(retired(**changes)).actions

    assert isinstance(action, Retire)


NEEDS_ONE: dict[str, dict[str, Any]] = {
    "current": {"tags": ring_tag("broad", ago(days=1))},
    "previous": {"tags": ring_tag("canary", ago(days=9))},
    "hold": {"tags": {"imagebake-hold": "2026-11-01T00:00:00+00:00 under review"}},
    "tag": {"tags": {"imagebake-keep": "audit"}},
    "young": {"published": ago(days=13)},
    "unknown age": {"published": None},
    "unsettled": {"state": "Updating"},
    "unreadable": {"tags": {"imagebake-ring-broad": "yesterday"}},
    "revocation": {"tags": revoked_tag(ago(days=30))},
}


@pytest.mark.parametrize("what", NEEDS_ONE)
@pytest.mark.parametrize("made", [a_version, retired], ids=["whole", "retired"])
def test_a_protected_version_stays(what: str, made: Callable[..., GalleryVersion]) -> None:
    plan = protected(what, made)

    assert not plan.actions
    assert said_of(plan, OLD)


def test_every_refusal_names_what_protects_and_what_shows_that(golden: Golden) -> None:
    told = [f"{what}\n{said_of(protected(what, a_version), OLD)}" for what in NEEDS_ONE]
    used = [f"{what}\n{said_of(decided(retired(), **USERS[what]), OLD)}" for what in USERS]

    golden.check("rollout/refusals.txt", "\n".join([*told, *used]))


def protected(what: str, made: Callable[..., GalleryVersion]) -> RolloutPlan:
    changes = dict(NEEDS_ONE[what])
    if made is retired and "tags" in changes:
        changes["tags"] = {"imagebake-retired": ago(days=8).isoformat()} | changes["tags"]
    other = a_version("2026.1001.0", tags=ring_tag("canary", ago(days=1)))
    inventory = an_inventory(made(OLD, **changes), other, *KEPT[1:])
    return retire_plan(POLICIES, inventory, now=NOW, gate=OPEN)


def said_of(plan: RolloutPlan, number: str) -> str:
    subject = key(version_id(number))
    (refusal,) = (one for one in plan.refusals if key(one.subject) == subject)
    return f"  {refusal.reason}\n  by {refusal.protector}\n  see {refusal.command}\n"


USERS: dict[str, dict[str, Any]] = {
    "machine": {"machines": (a_machine("m", version_id(OLD)),)},
    "machine of unknown version": {"machines": (a_machine("m", definition_id(), exact=None),)},
    "machine in other case": {"machines": (a_machine("m", version_id(OLD).upper()),)},
    "machine by number": {"machines": (a_machine("m", definition_id(), exact=OLD),)},
    "model of a scale set": {"scale_sets": (a_scale_set("web", version_id(OLD)),)},
    "instance of a scale set": {
        "scale_sets": (a_scale_set("web", version_id("2026.1003.0"), version_id(OLD)),)
    },
    "instance of unknown version": {
        "scale_sets": (a_scale_set("web", f"{definition_id()}/versions/latest", None),)
    },
    "reference": {"others": {version_id(OLD).upper(): ("/subscriptions/1/x/vm",)}},
    "shared gallery": {
        "machines": (
            a_machine(
                "m", f"/SharedGalleries/abc-imagebake/Images/demo/Versions/{OLD}", exact=None
            ),
        )
    },
}


@pytest.mark.parametrize("what", USERS)
def test_what_is_used_stays(what: str) -> None:
    plan = decided(retired(), **USERS[what])

    assert not plan.actions
    assert said_of(plan, OLD)


def test_what_may_be_the_latest_of_a_region_stays() -> None:
    visible = a_version(OLD)
    visible = a_version(OLD, **shown(visible, "westeurope"))
    here = a_scale_set("web", definition_id())
    elsewhere = a_scale_set("web", definition_id(), region="northeurope")

    assert not decided(visible, scale_sets=(here,)).actions
    assert decided(visible, scale_sets=(elsewhere,)).actions


def test_what_an_image_was_made_from_stays() -> None:
    child = a_version("2026.1110.0", "other", parent=version_id(OLD).lower())

    plan = decided(retired(), child)

    assert not plan.actions
    assert "other@2026.1110.0 was made from it" in said_of(plan, OLD)


@pytest.mark.parametrize(
    "scope", [version_id(OLD), definition_id(), GALLERY, GROUP, "/subscriptions/0"]
)
def test_a_lock_protects_from_any_height(scope: str) -> None:
    plan = decided(retired(), locks={scope: ("do-not-delete",)})

    assert not plan.actions
    assert "the lock 'do-not-delete' on" in said_of(plan, OLD)
    assert "az rest" in said_of(plan, OLD)


@pytest.mark.parametrize("tag", ["imagebake-hold", "imagebake-keep"])
def test_a_tag_of_the_definition_protects_every_version(tag: str) -> None:
    definitions = (Definition(id=definition_id(), name="demo", tags={tag: "2026 no"}),)

    assert not decided(retired(), definitions=definitions).actions


def test_nothing_goes_while_something_could_not_be_read() -> None:
    plan = decided(retired(), unread=("scale sets of subscription 1: Forbidden",))

    assert not plan.actions
    assert plan.refusals[0].reason.startswith(
        "the fleet could not be read completely: scale sets of"
    )


def test_versions_that_no_spec_is_for_are_left_alone() -> None:
    plan = decided(a_version(OLD, "stranger"))

    assert not plan.actions
    assert "1 versions belong to definitions without a spec." in plan.notes


def test_a_run_does_no_more_than_it_may() -> None:
    many = [a_version(f"2026.801.{n}") for n in range(30)]
    gone = [retired(f"2026.701.{n}") for n in range(30)]
    plan = decided(*many, *gone)

    assert [one.kind for one in plan.actions] == ["delete"] * 10 + ["retire"] * 10
    assert any("40 more may be retired or deleted" in note for note in plan.notes)


def test_a_closed_gate_leaves_everything_and_shows_what_would_be_done() -> None:
    plan = decided(retired(), gate=CLOSED)

    assert not plan.actions
    assert [one.kind for one in plan.waiting] == ["delete"]


def test_an_override_of_a_freeze_is_recorded() -> None:
    plan = decided(retired(), gate=CLOSED, override="the quota is full")

    assert [type(one) for one in plan.actions] == [OverrideFreeze, Delete]
    assert plan.actions[0].subject == definition_id()


def test_a_plan_does_not_depend_on_the_minute_or_the_order_it_is_made_in() -> None:
    versions = (a_version("2026.601.0"), retired(), *KEPT)
    first = retire_plan(POLICIES, an_inventory(*versions), now=NOW, gate=OPEN)
    later = retire_plan(
        POLICIES, an_inventory(*versions[::-1]), now=NOW + dt.timedelta(hours=3), gate=OPEN
    )

    assert first.digest == later.digest
    assert first.digest != decided(retired()).digest


def test_a_plan_reads_like_a_change_request(golden: Golden) -> None:
    plan = decided(
        retired(),
        a_version("2026.701.0"),
        a_version("2026.601.0", tags={"imagebake-keep": "audit"}),
        a_version("2026.1103.0", published=ago(days=2), tags=ring_tag("broad", ago(days=1))),
        machines=(a_machine("m", version_id("2026.1001.0")),),
    )

    golden.check("rollout/retire.md", change_request(plan))
