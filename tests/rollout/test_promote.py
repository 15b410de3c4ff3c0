from __future__ import annotations

from typing import Any

import pytest

from imagebake.azure.model.fleet import Definition, UpgradeState
from imagebake.azure.model.gallery import TAG_PROOF
from imagebake.rollout.change_request import change_request
from imagebake.rollout.freezes import OPEN, GateState, RolloutGate
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.promote import promote_plan
from tests.support.fleets import (
    NOW,
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

OLD, NEW = "2026.1101.0", "2026.1120.0"
SPEC = a_rollout_spec()
CLOSED = RolloutGate(state=GateState.CLOSED, why="freeze: the sale (web-team)")
WEB = {"fleet": "web"}


def old(**changes: Any) -> Any:  # noqa: ANN401
    tags = ring_tag("canary", ago(days=9)) | ring_tag("broad", ago(days=8))
    whole = a_version(OLD)
    return a_version(OLD, **{"tags": tags, **shown(whole, "northeurope", "westeurope"), **changes})


def new(**changes: Any) -> Any:  # noqa: ANN401
    here: dict[str, Any] = {"regions": {"westeurope": "Completed"}, "guarded": False}
    tags = ring_tag("canary", ago(days=3)) | changes.pop("tags", {})
    return a_version(NEW, tags=tags, **here | changes)


def promoted(*versions: Any, ring: str = "broad", **changes: Any) -> RolloutPlan:  # noqa: ANN401
    asked: dict[str, Any] = {
        name: changes.pop(name) for name in ("gate", "override", "heartbeats") if name in changes
    }
    asked.setdefault("gate", OPEN)
    spec = changes.pop("spec", SPEC)
    inventory = an_inventory(*versions, **changes)
    number = version_id(NEW).upper()
    return promote_plan(spec, inventory, number, ring, now=NOW, **asked)


def kinds(plan: RolloutPlan) -> list[str]:
    return [one.kind for one in plan.actions]


def test_a_version_is_replicated_marked_shown_and_then_moved_to(golden: Golden) -> None:
    fleet = tuple(a_scale_set(f"web-{n}", old().id, old().id, tags=WEB) for n in range(12))
    plan = promoted(old(), new(), scale_sets=fleet)

    assert kinds(plan)[:5] == ["publish", "await-replicas", "mark-current", "show", "guard"]
    assert kinds(plan)[5:] == ["move"] * 12
    assert [one.to_json()["batch"] for one in plan.actions[5:]] == [1] * 10 + [2] * 2
    golden.check("rollout/promote.md", change_request(plan))


def test_a_ring_that_shares_its_region_shows_nothing_to_those_after_it() -> None:
    canary = a_scale_set("canary-1", definition_id(), old().id)
    plan = promoted(old(), a_version(NEW, guarded=False), ring="canary", scale_sets=(canary,))

    assert kinds(plan) == ["mark-current", "guard", "move"]
    assert plan.actions[-1].to_json()["to"] == version_id(NEW)


def test_a_scale_set_that_takes_the_latest_is_only_upgraded_in_the_last_ring() -> None:
    web = a_scale_set("web", definition_id(), old().id, tags=WEB)
    plan = promoted(old(), new(), scale_sets=(web,))

    assert kinds(plan)[-1] == "upgrade"


def test_what_has_been_done_is_not_planned_again() -> None:
    tags = ring_tag("canary", ago(days=2)) | ring_tag("broad", ago(hours=1))
    whole = a_version(NEW)
    done = a_version(NEW, tags=tags, **shown(whole, "northeurope", "westeurope"))
    web = a_scale_set("web", done.id, done.id, tags=WEB)

    assert not promoted(old(), done, scale_sets=(web,)).actions


@pytest.mark.parametrize(
    ("upgrade", "kind"),
    [(UpgradeState.NONE, "upgrade"), (UpgradeState.RUNNING, ""), (UpgradeState.FAILED, "")],
)
def test_an_upgrade_that_was_not_begun_is_begun(upgrade: UpgradeState, kind: str) -> None:
    web = a_scale_set("web", version_id(NEW), old().id, tags=WEB, upgrade=upgrade)
    plan = promoted(old(), new(), scale_sets=(web,))

    assert ("upgrade" in kinds(plan)) == bool(kind)
    assert bool(plan.due) == (upgrade is UpgradeState.RUNNING)
    assert bool(plan.refusals) == (upgrade is UpgradeState.FAILED)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": "Failed"}, "it is not healthy: its state is Failed"),
        ({"tags": revoked_tag(ago(days=1))}, "it is revoked everywhere"),
        ({"tags": {"imagebake-hold": "2026 review"}}, "it is held: 2026 review"),
        (
            {"tags": {TAG_PROOF: "failed 12"}},
            "its proof is 'failed 12', and ring broad requires a passed one",
        ),
    ],
)
def test_what_is_not_good_is_refused_with_the_command_that_shows_it(
    changes: dict[str, Any], reason: str
) -> None:
    plan = promoted(old(), new(**changes))

    assert not plan.actions
    assert [one.reason for one in plan.refusals] == [reason]
    assert plan.refusals[0].command.startswith("./inv ")


def test_no_ring_is_skipped() -> None:
    plan = promoted(old(), a_version(NEW))
    overruled = promoted(old(), a_version(NEW), override="canary has no machines today")

    assert [one.reason for one in plan.refusals] == [
        "it was never current in ring canary, which comes before broad"
    ]
    assert plan.refusals[0].command == f"./inv promote demo@{NEW} --ring canary"
    assert kinds(overruled)[0] == "override"


def test_a_hold_on_the_image_holds_every_version() -> None:
    held = Definition(
        id=definition_id(), name="demo", tags={"imagebake-hold": "2026-11-20T00:00:00Z audit"}
    )

    assert promoted(old(), new(), definitions=(held,)).refusals


@pytest.mark.parametrize(("message", "refused"), [(None, True), (False, True), (True, False)])
def test_an_unknown_heartbeat_is_no_good_one(message: bool | None, refused: bool) -> None:  # noqa: FBT001
    canary, broad = SPEC.rings
    rings = (canary, broad.model_copy(update={"heartbeat": True}))
    spec = SPEC.model_copy(update={"rings": rings})
    beats = {} if message is None else {"canary": {version_id(NEW).lower(): message}}

    assert bool(promoted(old(), new(), spec=spec, heartbeats=beats).refusals) == refused


@pytest.mark.parametrize("tags", [revoked_tag(ago(days=1)), {TAG_PROOF: ""}])
def test_an_override_is_recorded_before_anything_else(tags: dict[str, str]) -> None:
    plan = promoted(old(), new(tags=tags), override="we know better")

    assert kinds(plan)[0] == "override"
    assert plan.actions[0].reason == "we know better"


@pytest.mark.parametrize(
    "changes", [{"state": "Failed"}, {"tags": {"imagebake-hold": "2026 review"}}]
)
def test_no_override_helps_a_broken_or_a_held_version(changes: dict[str, Any]) -> None:
    assert not promoted(old(), new(**changes), override="we know better").actions


def test_a_retired_version_comes_out_of_retirement_first() -> None:
    tags = {"imagebake-retired": ago(days=1).isoformat()}
    plan = promoted(old(), new(tags=tags, end_of_life=NOW), ring="canary")

    assert kinds(plan)[0] == "unretire"


def test_nothing_is_promoted_while_the_gate_is_closed() -> None:
    plan = promoted(old(), new(), gate=CLOSED)

    assert not plan.actions
    assert plan.waiting


def test_an_override_of_the_gate_is_recorded_on_the_version() -> None:
    plan = promoted(old(), new(), gate=CLOSED, override="a security fix")

    assert kinds(plan)[0] == "override-freeze"


def test_an_older_version_hides_the_newer_ones_that_would_be_the_latest() -> None:
    tags = ring_tag("broad", ago(days=1))
    newer = a_version("2026.1121.0", tags=tags)
    newer = a_version("2026.1121.0", tags=tags, **shown(newer, "northeurope", "westeurope"))
    plan = promoted(old(), new(), newer)

    assert [one.subject for one in plan.actions if one.kind == "hide"] == [newer.id]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"region": "eastus"}, "it is in eastus, where ring broad has no replicas"),
        ({"image": "/x/images/other/versions/1.0.0"}, "it is on another image, /x/images/other"),
    ],
)
def test_a_scale_set_that_is_not_the_rings_to_move_is_named(
    changes: dict[str, Any], reason: str
) -> None:
    web = a_scale_set("web", changes.pop("image", old().id), tags=WEB, **changes)
    plan = promoted(old(), new(), scale_sets=(web,))

    assert "move" not in kinds(plan)
    assert plan.refusals[0].reason.startswith(reason)


@pytest.mark.parametrize(("number", "ring"), [("1.0.0", "broad"), (NEW, "nowhere")])
def test_what_there_is_not_cannot_be_promoted(number: str, ring: str) -> None:
    with pytest.raises(KeyError):
        promote_plan(SPEC, an_inventory(new()), version_id(number), ring, now=NOW, gate=OPEN)
