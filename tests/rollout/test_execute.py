"""A fleet moves through its rings and back, as its policy says and no other way."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.azure.model.gallery import TAG_HOLD
from imagebake.emulator.calls import Pace
from imagebake.emulator.outages import ServiceHealthEvent
from imagebake.kernel.errors import ImagebakeError, NotNow, RolloutRefused
from imagebake.kernel.settings import Freeze
from imagebake.rollout.model.actions import Move
from tests.support.emulators import Clock
from tests.support.live_fleets import set_id, version_id
from tests.support.rollouts import REGIONS, SETS, Rollout, a_rollout
from tests.support.scale_sets import a_scale_set


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet(tmp_path: Path, clock: Clock) -> Iterator[Rollout]:
    with a_rollout(tmp_path, clock) as rollout:
        yield rollout


def through(fleet: Rollout) -> None:
    """Bring the newer version through both rings."""
    fleet.rotate()
    fleet.clock.turn(days=1)
    fleet.rotate()


def test_a_version_goes_ring_by_ring_each_after_it_has_soaked(fleet: Rollout, clock: Clock) -> None:
    fleet.rotate()
    first = (fleet.current(), fleet.on(), fleet.shown())
    clock.turn(hours=23)
    fleet.rotate()
    second = fleet.current()
    clock.turn(hours=2)
    fleet.rotate()

    assert first[0] == {"canary": "1.0.1", "broad": "1.0.0"}
    assert first[1] == {"canary": {"1.0.1"}} | {key: {"1.0.0"} for key in SETS[1:]}
    assert first[2] == {"1.0.0": set(REGIONS), "1.0.1": set()}
    assert second == first[0]
    assert fleet.current() == {"canary": "1.0.1", "broad": "1.0.1"}
    assert fleet.on() == {key: {"1.0.1"} for key in SETS}
    assert fleet.shown()["1.0.1"] == set(REGIONS)
    assert fleet.claims() == []
    assert fleet.plan().actions == ()


def test_one_command_takes_a_fleet_back_for_good(fleet: Rollout, clock: Clock) -> None:
    through(fleet)
    clock.turn(minutes=5)

    fleet.rollback()

    assert fleet.current() == {"canary": "1.0.0", "broad": "1.0.0"}
    assert fleet.on() == {key: {"1.0.0"} for key in SETS}
    assert fleet.shown() == {"1.0.0": set(REGIONS), "1.0.1": set()}
    record = fleet.records()[-1]
    assert (record["verb"], record["objective_met"], record["failed"]) == ("rollback", True, {})
    assert record["metrics"]["calls"]["writes"] >= 6
    clock.turn(days=9)
    assert fleet.plan().actions == ()
    with pytest.raises(
        RolloutRefused, match=r"demo@1\.0\.1: cannot promote to canary: it is revoked"
    ):
        fleet.promote("1.0.1", "canary")


def test_a_rollback_of_one_ring_leaves_those_before_it(fleet: Rollout) -> None:
    through(fleet)

    fleet.rollback("broad")

    assert fleet.current() == {"canary": "1.0.1", "broad": "1.0.0"}
    assert fleet.on() == {"canary": {"1.0.1"}} | {key: {"1.0.0"} for key in SETS[1:]}


def test_a_rollback_without_a_good_target_changes_nothing(fleet: Rollout, clock: Clock) -> None:
    through(fleet)
    fleet.rollback()
    clock.turn(days=1)
    before = fleet.state()

    with pytest.raises(RolloutRefused) as caught:
        fleet.rollback()

    assert "has no earlier good version" in caught.value.message
    assert fleet.state() == before


def test_what_replicates_slowly_is_left_and_taken_up_again(fleet: Rollout, clock: Clock) -> None:
    fleet.rotate()
    clock.turn(days=1)
    fleet.emulator.pace = Pace(replication=3600)
    fleet.limit = 0.0

    with pytest.raises(RolloutRefused) as caught:
        fleet.rotate()
    between = fleet.current()
    clock.turn(hours=2)
    fleet.rotate()

    assert caught.value.message == "demo@1.0.1 is not complete in northeurope after 0 minutes"
    assert (
        caught.value.hint == "replication continues by itself; run the command again to wait for it"
    )
    assert between == {"canary": "1.0.1", "broad": "1.0.0"}
    assert fleet.current()["broad"] == "1.0.1"
    assert fleet.on() == {key: {"1.0.1"} for key in SETS}


def test_a_failed_replication_stops_and_says_where(fleet: Rollout, clock: Clock) -> None:
    fleet.rotate()
    clock.turn(days=1)
    fleet.emulator.pace = Pace(failing_regions=frozenset({"northeurope"}))

    with pytest.raises(RolloutRefused, match=r"replication of demo@1\.0\.1 to northeurope"):
        fleet.rotate()

    assert fleet.current()["broad"] == "1.0.0"


def test_more_failures_than_the_budget_stop_a_ring_until_it_is_rolled_back(
    fleet: Rollout, clock: Clock
) -> None:
    fleet.rotate()
    clock.turn(days=1)
    fleet.emulator.pace = Pace(failing_instances=frozenset({"*@1.0.1"}))

    with pytest.raises(RolloutRefused) as caught:
        fleet.rotate()
    with_it = [name for name, found in fleet.on().items() if "1.0.1" in found]
    again = fleet.plan()
    fleet.emulator.pace = Pace()
    fleet.rollback()

    assert caught.value.message.startswith(
        "ring broad is stopped: 2 of its scale sets failed, and the error budget is 0: broad-1:"
        " its rolling upgrade failed; broad-2:"
    )
    assert "broad-3" not in with_it
    assert not [one for one in again.actions if isinstance(one, Move)]
    assert fleet.on() == {key: {"1.0.0"} for key in SETS}


def test_a_failure_within_the_budget_is_told_and_passed_over(fleet: Rollout) -> None:
    rings = [ring.model_copy(update={"error_budget": 1}) for ring in fleet.spec.rings]
    fleet.spec = fleet.spec.model_copy(update={"rings": tuple(rings)})
    fleet.emulator.pace = Pace(failing_instances=frozenset({"canary*@1.0.1", "web*@1.0.1"}))

    fleet.rotate()

    assert list(fleet.records()[-1]["failed"]) == [set_id("canary")]


def test_a_version_that_is_held_meanwhile_goes_no_further(fleet: Rollout) -> None:
    def hold(heard: str) -> None:
        if heard.startswith("Make demo@1.0.1 current"):
            fleet.fleet.merge_tags(version_id("1.0.1"), {TAG_HOLD: "2026-11-23 no"})

    fleet.tape.listen = hold

    with pytest.raises(RolloutRefused) as caught:
        fleet.rotate()

    assert caught.value.message == (
        "stopped before the step 'make demo@1.0.1 current in ring canary': demo@1.0.1 has changed"
        " since it was planned: tag imagebake-hold: absent → '2026-11-23 no'"
    )
    assert fleet.current() == {"canary": "1.0.0", "broad": "1.0.0"}
    assert fleet.records()[-1]["stopped"] == caught.value.message
    assert fleet.claims() == []


def test_a_scale_set_that_grew_meanwhile_is_moved_and_stays_as_large(fleet: Rollout) -> None:
    def grow(heard: str) -> None:
        if heard.startswith("Make demo@1.0.1 current"):
            fleet.world.scale_set("canary", capacity=3)

    fleet.tape.listen = grow

    fleet.rotate()

    found = {one.name: one for one in fleet.inventory().scale_sets}["canary"]
    assert len(found.instances) == 3
    assert fleet.on()["canary"] == {"1.0.1"}


def test_a_scale_set_that_somebody_gave_another_image_is_left_alone(fleet: Rollout) -> None:
    fleet.bake("0.9.0")

    def take(heard: str) -> None:
        if heard.startswith("Make demo@1.0.1 current"):
            body = a_scale_set(image=version_id("0.9.0"))
            sets = fleet.cloud.compute.virtual_machine_scale_sets
            fleet.cloud.ask("take it", sets.begin_create_or_update, "imagebake", "canary", body)

    fleet.tape.listen = take

    with pytest.raises(RolloutRefused, match=r"canary: its image is no longer .*1\.0\.0 but"):
        fleet.rotate()

    assert "1.0.1" not in fleet.on()["canary"]


def test_of_two_rotations_at_once_one_refuses(fleet: Rollout) -> None:
    refused: list[str] = []

    def another(heard: str) -> None:
        if heard.startswith("Make demo@1.0.1 current") and not refused:
            fleet.tape.listen = lambda _: None
            with pytest.raises(RolloutRefused) as caught:
                fleet.rotate()
            refused.append(caught.value.message)

    fleet.tape.listen = another

    fleet.rotate()

    assert [text.partition(":")[0] for text in refused] == [
        "another command is changing this image"
    ]
    assert fleet.current()["canary"] == "1.0.1"


def test_a_rollback_stops_a_rotation_that_is_under_way(fleet: Rollout, clock: Clock) -> None:
    fleet.rotate()
    clock.turn(days=1)
    other = dataclasses.replace(fleet)
    going_back = threading.Thread(target=other.rollback, kwargs={"wait": 60})

    def begin(heard: str) -> None:
        if heard.startswith("Make demo@1.0.1 current") and not going_back.ident:
            going_back.start()
            for _ in itertools.count():
                if len(fleet.claims()) == 2:
                    break
            clock.turn(seconds=20)

    fleet.tape.listen = begin

    with pytest.raises(RolloutRefused, match="a rollback takes precedence"):
        fleet.rotate()
    going_back.join()

    assert fleet.current() == {"canary": "1.0.0", "broad": "1.0.0"}
    assert fleet.on() == {key: {"1.0.0"} for key in SETS}


def test_in_a_freeze_nothing_is_promoted_but_what_is_bad_is_taken_back(
    fleet: Rollout, clock: Clock
) -> None:
    fleet.rotate()
    freeze = Freeze(
        begins=clock(),
        ends=clock() + dt.timedelta(days=3),
        timezone="Etc/UTC",
        owner="shop",
        reason="the sale",
    )
    fleet.settings = dataclasses.replace(fleet.settings, freezes=(freeze,))
    clock.turn(days=1)

    with pytest.raises(NotNow) as caught:
        fleet.rotate()
    fleet.rollback()

    assert caught.value.exit_code == 75
    assert "the sale (shop)" in caught.value.message
    assert fleet.current()["canary"] == "1.0.0"


@pytest.mark.parametrize("known", [True, False], ids=["incident", "unknown"])
def test_while_azure_is_not_known_to_be_well_nothing_is_promoted(
    fleet: Rollout,
    known: bool,  # noqa: FBT001 - a parameter
) -> None:
    if known:
        fleet.emulator.health = (ServiceHealthEvent(title="Machines do not start"),)
    else:
        fleet.emulator.fail("GET", "*/events", status=500, times=99)

    with pytest.raises(NotNow):
        fleet.rotate()
    fleet.rotate(override="the fix cannot wait")

    assert fleet.current()["canary"] == "1.0.1"
    tags = fleet.fleet.definition_tags("demo")
    assert tags["imagebake-overrode-freeze"].endswith("the fix cannot wait")


def test_only_the_plan_that_was_agreed_to_is_carried_out(fleet: Rollout) -> None:
    digest = fleet.plan().digest
    fleet.bake("1.0.2")

    with pytest.raises(RolloutRefused, match=f"the plan is no longer {digest[:12]}"):
        fleet.rotate(expect=digest[:12])
    fleet.rotate(expect=fleet.plan().digest[:12])

    assert fleet.current()["canary"] == "1.0.2"


@pytest.mark.parametrize("proof", ["", "failed 0123"])
def test_what_is_not_proved_is_promoted_by_a_recorded_override_only(
    fleet: Rollout, proof: str
) -> None:
    fleet.bake("1.0.2", proof=proof)

    with pytest.raises(ImagebakeError, match="requires a passed one"):
        fleet.promote("1.0.2", "canary")
    fleet.promote("1.0.2", "canary", override="proved by hand")

    assert fleet.current()["canary"] == "1.0.2"
    assert fleet.version("1.0.2").tags["imagebake-override-canary"].endswith(" proved by hand")


def test_by_hand_the_next_ring_gets_what_the_one_before_has(fleet: Rollout) -> None:
    fleet.promote(None, "canary")
    fleet.promote(None, "broad")

    assert fleet.current() == {"canary": "1.0.1", "broad": "1.0.1"}
