from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from imagebake.azure.model.fleet import UpgradeState
from imagebake.azure.model.gallery import TAG_OVERRIDE, GalleryVersion
from imagebake.rollout.change_request import change_request
from imagebake.rollout.model.actions import Revoke
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.rollback import rollback_plan
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

OLD, MID, NEW = "2026.1101.0", "2026.1110.0", "2026.1120.0"
SPEC = a_rollout_spec()
WEB = {"fleet": "web"}


def a_seated(number: str, days: float, *rings: str, **tags: str) -> GalleryVersion:
    """A version that became current of *rings* so many days ago, and is shown."""
    told = {name: text for ring in rings for name, text in ring_tag(ring, ago(days=days)).items()}
    visible = shown(a_version(number), "northeurope", "westeurope")
    return a_version(number, tags=told | tags, **visible)


OLDER = a_seated(OLD, 20, "canary", "broad")
BETTER = a_seated(MID, 10, "canary", "broad")
BAD = a_seated(NEW, 1, "canary", "broad")


def rolled_back(*versions: GalleryVersion, ring: str | None = None, **changes: Any) -> RolloutPlan:  # noqa: ANN401
    asked = {name: changes.pop(name) for name in ("version", "override") if name in changes}
    inventory = an_inventory(*versions, **changes)
    return rollback_plan(SPEC, inventory, ring, "it does not boot", now=NOW, **asked)


def kinds(plan: RolloutPlan) -> list[str]:
    return [one.kind for one in plan.actions]


def test_the_bad_version_is_revoked_and_hidden_and_the_fleet_goes_back(golden: Golden) -> None:
    fleet = (
        a_scale_set("canary-1", BAD.id, BAD.id),
        a_scale_set("web-1", BAD.id, BAD.id, tags=WEB),
        a_scale_set("web-2", definition_id(), BAD.id, tags=WEB),
    )
    plan = rolled_back(OLDER, BETTER, BAD, scale_sets=fleet)

    assert kinds(plan) == ["revoke", "hide", "move", "move", "upgrade"]
    assert plan.facts["serves"] == {"canary": MID, "broad": MID}
    golden.check("rollout/rollback.md", change_request(plan))


def test_a_ring_is_rolled_back_with_those_after_it() -> None:
    plan = rolled_back(OLDER, BETTER, BAD, ring="broad")
    revoke = plan.actions[0]

    assert isinstance(revoke, Revoke)
    assert revoke.ring == "broad"
    assert plan.facts["serves"] == {"broad": MID}


def test_a_version_that_is_not_good_is_passed_over() -> None:
    broken = a_seated(MID, 10, "canary", "broad", **{"imagebake-proof": "failed 1"})
    plan = rolled_back(OLDER, broken, BAD)

    assert plan.facts["serves"] == {"canary": OLD, "broad": OLD}
    assert kinds(plan).count("mark-current") == 2


def test_without_a_good_version_it_is_refused_and_says_which_would_serve() -> None:
    other = a_version(MID)
    plan = rolled_back(other, a_seated(NEW, 1, "canary"))
    alone = rolled_back(a_seated(NEW, 1, "canary"))

    assert not plan.actions
    assert plan.refusals[0].reason.endswith(f"{MID} would serve")
    assert plan.refusals[0].command == f"./inv promote demo@{MID} --ring canary"
    assert not alone.actions
    assert alone.refusals[0].reason.endswith("and the gallery has none")


def test_what_was_made_from_the_bad_version_does_not_serve() -> None:
    child = a_version("2026.1121.0", parent=BAD.id.lower())
    plan = rolled_back(a_seated(NEW, 1, "canary"), child)

    assert "would serve" not in plan.refusals[0].reason


def test_without_anything_current_there_is_nothing_to_roll_back() -> None:
    plan = rolled_back(a_version(NEW))

    assert not plan.actions
    assert plan.refusals[0].reason == "no ring has a current version"


def killed_after_revoking(**tags: str) -> GalleryVersion:
    told = dict(BAD.tags) | revoked_tag(ago(minutes=2)) | tags
    return a_version(NEW, tags=told, **shown(BAD, "northeurope", "westeurope"))


def test_run_again_it_finishes_and_revokes_nothing_more() -> None:
    plan = rolled_back(OLDER, BETTER, killed_after_revoking())

    assert kinds(plan) == ["hide"]
    assert "this finishes its rollback" in plan.notes[0]


def test_run_again_at_once_it_is_done() -> None:
    done = a_version(NEW, tags=dict(killed_after_revoking().tags))
    plan = rolled_back(OLDER, BETTER, done)

    assert not plan.actions
    assert "nothing uses it any more" in plan.notes[0]
    assert kinds(rolled_back(OLDER, BETTER, done, version=BETTER.id))[0] == "revoke"


def test_a_day_later_it_is_another_one() -> None:
    done = a_version(NEW, tags=dict(killed_after_revoking().tags) | revoked_tag(ago(days=1)))
    plan = rolled_back(OLDER, BETTER, done)

    assert plan.actions[0].subject == BETTER.id


def test_an_upgrade_on_its_way_to_the_bad_version_is_cancelled() -> None:
    web = a_scale_set("web", BAD.id, BETTER.id, tags=WEB, upgrade=UpgradeState.RUNNING)
    plan = rolled_back(OLDER, BETTER, BAD, scale_sets=(web,))

    assert kinds(plan)[-2:] == ["cancel-upgrade", "move"]


def test_what_failed_to_go_back_is_tried_again() -> None:
    web = a_scale_set("web", BETTER.id, BAD.id, tags=WEB, upgrade=UpgradeState.FAILED)
    plan = rolled_back(OLDER, BETTER, killed_after_revoking(), scale_sets=(web,))

    assert kinds(plan) == ["hide", "upgrade"]


def test_an_image_made_from_it_is_not_left_without_a_version() -> None:
    child = a_version(MID, "child", parent=BAD.id.lower(), tags=ring_tag("prod", ago(hours=3)))
    refused = rolled_back(OLDER, BETTER, BAD, child)
    overruled = rolled_back(OLDER, BETTER, BAD, child, override="child does not use that part")

    assert not refused.actions
    assert refused.refusals[0].reason == ("ring prod of child would be left without a good version")
    assert kinds(overruled)[:2] == ["override", "revoke"]
    assert overruled.actions[0].to_json()["at"] > overruled.actions[1].to_json()["at"]


def test_an_image_made_from_it_that_has_another_version_goes_back_as_well() -> None:
    child = a_version(NEW, "child", parent=BAD.id.lower(), tags=ring_tag("prod", ago(hours=3)))
    before = a_version(MID, "child", tags=ring_tag("prod", ago(days=3)))
    plan = rolled_back(OLDER, BETTER, BAD, child, before)

    assert plan.actions
    assert "Run ./inv rollback child to finish it there." in plan.notes


def test_a_revocation_never_gets_narrower() -> None:
    when = (NOW - dt.timedelta(hours=1)).isoformat()
    back = a_version(
        NEW,
        tags=dict(BAD.tags)
        | revoked_tag(ago(hours=3))
        | {f"{TAG_OVERRIDE}{ring}": f"{when} fine" for ring in ("canary", "broad")},
    )
    revoke = rolled_back(OLDER, BETTER, back, ring="broad", version=back.id).actions[0]

    assert isinstance(revoke, Revoke)
    assert revoke.ring == "*"


@pytest.mark.parametrize("asked", [{"ring": "nowhere"}, {"version": version_id("1.0.0")}])
def test_what_there_is_not_cannot_be_rolled_back(asked: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        rolled_back(OLDER, BETTER, BAD, **asked)
