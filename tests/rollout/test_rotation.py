from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from imagebake.azure.model.fleet import Definition, UpgradeState
from imagebake.azure.model.gallery import TAG_PROOF, GalleryVersion
from imagebake.rollout.change_request import change_request
from imagebake.rollout.freezes import OPEN, GateState, RolloutGate
from imagebake.rollout.model.actions import MarkCurrent
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.rotation import rotate_plan
from imagebake.rollout.status import status
from tests.support.fleets import (
    NOW,
    a_rollout_spec,
    a_scale_set,
    a_version,
    ago,
    an_inventory,
    definition_id,
    ring_tag,
    shown,
)
from tests.support.golden import Golden

OLD, MID, NEW = "2026.1101.0", "2026.1110.0", "2026.1120.0"
SPEC = a_rollout_spec()
WEB = {"fleet": "web"}


def rotated(*versions: GalleryVersion, gate: RolloutGate = OPEN, **changes: Any) -> RolloutPlan:  # noqa: ANN401
    spec = changes.pop("spec", SPEC)
    override = changes.pop("override", None)
    inventory = an_inventory(*versions, **changes)
    return rotate_plan(spec, inventory, now=NOW, gate=gate, override=override)


def marks(plan: RolloutPlan) -> list[tuple[str, str]]:
    return [
        (one.ring, one.subject.rpartition("/")[2])
        for one in plan.actions
        if isinstance(one, MarkCurrent)
    ]


def old() -> GalleryVersion:
    tags = ring_tag("canary", ago(days=9)) | ring_tag("broad", ago(days=8))
    return a_version(OLD, tags=tags, **shown(a_version(OLD), "northeurope", "westeurope"))


def test_the_newest_good_version_comes_to_the_first_ring() -> None:
    failed = a_version("2026.1121.0", tags={TAG_PROOF: "failed 1"})
    plan = rotated(old(), a_version(MID), a_version(NEW), failed)

    assert marks(plan) == [("canary", NEW)]
    assert any("its proof is 'failed 1'" in one.reason for one in plan.refusals)


@pytest.mark.parametrize(("hours", "moved"), [(23, []), (24, [("broad", NEW)])])
def test_what_has_soaked_moves_on(hours: int, moved: list[tuple[str, str]]) -> None:
    plan = rotated(old(), a_version(NEW, tags=ring_tag("canary", ago(hours=hours))))

    assert marks(plan) == moved
    assert [one.at for one in plan.due] == ([] if moved else [ago(hours=23) + dt.timedelta(days=1)])


def test_a_ring_waits_with_the_next_version_until_its_own_has_moved_on() -> None:
    plan = rotated(old(), a_version(MID, tags=ring_tag("canary", ago(hours=3))), a_version(NEW))

    assert marks(plan) == []
    assert any("on its way from canary to broad" in one.wanted for one in plan.due)


def test_the_whole_line_moves_at_once_the_last_ring_first() -> None:
    plan = rotated(old(), a_version(MID, tags=ring_tag("canary", ago(days=3))), a_version(NEW))

    assert marks(plan) == [("broad", MID), ("canary", NEW)]


def test_what_cannot_move_on_makes_room() -> None:
    held = ring_tag("canary", ago(hours=3)) | {"imagebake-hold": "2026 odd"}

    assert marks(rotated(old(), a_version(MID, tags=held), a_version(NEW))) == [("canary", NEW)]


def test_nothing_goes_back_to_an_older_version_by_itself() -> None:
    canary = a_version(MID, tags=ring_tag("canary", ago(days=3)))
    broad = a_version(NEW, tags=ring_tag("broad", ago(days=3)) | {"imagebake-hold": "2026 x"})

    assert marks(rotated(canary, broad)) == []


def test_scale_sets_that_are_not_there_yet_hold_a_version_back() -> None:
    canary = a_version(NEW, tags=ring_tag("canary", ago(days=3)))
    fleet = (a_scale_set("canary-1", old().id, old().id),)
    plan = rotated(old(), canary, scale_sets=fleet)

    assert marks(plan) == []
    assert [one.kind for one in plan.actions] == ["move"]


def a_fleet(version: GalleryVersion, failed: int) -> tuple[Any, ...]:
    return tuple(
        a_scale_set(
            f"web-{n}",
            version.id,
            old().id,
            tags=WEB,
            upgrade=UpgradeState.FAILED if n < failed else UpgradeState.NONE,
        )
        for n in range(4)
    )


@pytest.mark.parametrize(("failed", "upgrades"), [(1, 3), (2, 0)])
def test_the_error_budget_stops_a_ring(failed: int, upgrades: int) -> None:
    canary, broad = SPEC.rings
    broad = broad.model_copy(update={"error_budget": 1, "regions": ("westeurope",)})
    spec = SPEC.model_copy(update={"rings": (canary, broad)})
    tags = ring_tag("canary", ago(days=3)) | ring_tag("broad", ago(hours=1))
    new = a_version(NEW, tags=tags, **shown(a_version(NEW), "westeurope"))
    plan = rotated(old(), new, spec=spec, scale_sets=a_fleet(new, failed))

    assert [one.kind for one in plan.actions].count("upgrade") == upgrades
    assert any("the error budget of ring broad is 1" in one.reason for one in plan.refusals) == (
        not upgrades
    )


def test_a_held_image_is_left_alone() -> None:
    held = Definition(id=definition_id(), name="demo", tags={"imagebake-hold": "2026 audit"})
    plan = rotated(old(), a_version(NEW), definitions=(held,))

    assert not plan.actions
    assert plan.refusals[0].reason == "every version of it is held: 2026 audit"


@pytest.mark.parametrize("state", [GateState.CLOSED, GateState.UNKNOWN])
def test_nothing_is_done_while_the_gate_is_not_open(state: GateState) -> None:
    gate = RolloutGate(state=state, why="the health source could not be read")
    plan = rotated(old(), a_version(NEW), gate=gate)
    overruled = rotated(old(), a_version(NEW), gate=gate, override="a fix")

    assert not plan.actions
    assert plan.waiting
    assert overruled.actions[0].kind == "override-freeze"
    assert overruled.actions[0].subject == definition_id()


def test_what_it_promotes_it_does_not_retire() -> None:
    spec = a_rollout_spec(rings=(), retirement={"keep": 1, "minimum_age_days": 1, "grace_days": 1})
    plan = rotated(a_version(OLD), a_version(MID), a_version(NEW), spec=spec)

    assert marks(plan) == [("broad", NEW)]
    assert {one.subject for one in plan.actions if one.kind == "retire"} == {
        a_version(OLD).id,
        a_version(MID).id,
    }


def test_scale_sets_in_no_ring_are_named() -> None:
    plan = rotated(old(), scale_sets=(a_scale_set("stray", old().id),))

    assert "1 scale sets use demo in no ring: stray." in plan.notes


def test_a_rotation_reads_like_a_change_request(golden: Golden) -> None:
    fleet = (
        a_scale_set("canary-1", a_version(MID).id, a_version(MID).id),
        a_scale_set("web-1", old().id, old().id, tags=WEB),
    )
    plan = rotated(
        a_version("2026.801.0"),
        old(),
        a_version(MID, tags=ring_tag("canary", ago(days=3))),
        a_version(NEW, guarded=False),
        scale_sets=fleet,
    )

    golden.check("rollout/rotate.md", change_request(plan))


def test_the_status_says_who_is_where_and_what_is_next(golden: Golden) -> None:
    fleet = (
        a_scale_set("canary-1", a_version(MID).id, a_version(MID).id),
        a_scale_set("web-1", old().id, old().id, tags=WEB),
    )
    canary = a_version(MID, tags=ring_tag("canary", ago(hours=3)))
    rows = status(SPEC, an_inventory(old(), canary, a_version(NEW), scale_sets=fleet), NOW)

    golden.check("rollout/status.txt", "\n".join(" | ".join(row.cells) for row in rows) + "\n")
    assert rows[0].to_json()["scale_sets"] == {"moved": 1, "all": 1}
