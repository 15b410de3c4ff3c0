"""Versions leave in two phases, and what is protected never does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.azure.model.gallery import TAG_KEEP
from imagebake.kernel.errors import CloudError, NotNow, RolloutRefused
from imagebake.rollout.gallery_retirement import retire_versions
from imagebake.rollout.present import RolloutRequest
from tests.support.emulators import Clock
from tests.support.live_fleets import version_id
from tests.support.rollouts import Rollout, a_ringed_spec, a_rollout

TERMS = {"keep": 1, "minimum_age_days": 2, "grace_days": 3, "most_per_run": 2}
OLD = ("0.1.0", "0.2.0", "0.3.0")
ORDER = RolloutRequest(verb="retirement", again="./inv retire")


def build(rollout: Rollout) -> None:
    """Old versions that nobody uses, beside a fleet that is on its way."""
    rollout.spec = a_ringed_spec(retirement=TERMS)
    rollout.build()
    for number in OLD:
        rollout.bake(number)
    rollout.clock.turn(days=10)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet(tmp_path: Path, clock: Clock) -> Iterator[Rollout]:
    with a_rollout(tmp_path, clock, build=build) as rollout:
        yield rollout


def retire(fleet: Rollout, *, apply: bool = True, override: str = "") -> None:
    retire_versions(fleet.place, [fleet.spec], ORDER, apply=apply, override=override)


def numbers(fleet: Rollout) -> list[str]:
    return [str(one.version) for one in fleet.inventory().of("demo")]


def test_what_nothing_protects_is_hidden_first_and_deleted_after_a_while(
    fleet: Rollout, clock: Clock
) -> None:
    retire(fleet)
    first = fleet.version("0.1.0")
    retire(fleet)
    kept = numbers(fleet)
    clock.turn(days=4)
    retire(fleet)
    retire(fleet)

    assert (first.hidden, first.end_of_life is not None) == (True, True)
    assert kept == [*OLD, "1.0.0", "1.0.1"]
    assert numbers(fleet) == ["1.0.0", "1.0.1"]
    assert fleet.claims() == []


def test_a_plan_changes_nothing(fleet: Rollout, capsys: pytest.CaptureFixture[str]) -> None:
    before = fleet.state()

    retire(fleet, apply=False)

    shown = capsys.readouterr().out
    assert "1. Retire demo@0.1.0: hidden now, deleted after 2026-12-06" in shown
    assert "- demo@1.0.0: cannot retire: it is the current version of ring canary" in shown
    assert "Apply it with: ./inv retire --apply --expect " in shown
    assert fleet.state() == before


def test_what_came_into_use_in_its_grace_period_stays(fleet: Rollout, clock: Clock) -> None:
    retire(fleet)
    clock.turn(days=4)
    fleet.world.scale_set("late", image=version_id("0.1.0"))
    fleet.fleet.merge_tags(version_id("0.2.0"), {TAG_KEEP: "for the auditors"})

    retire(fleet)
    clock.turn(days=4)
    retire(fleet)

    assert {"0.1.0", "0.2.0"} <= set(numbers(fleet))


def test_what_is_tagged_between_the_decision_and_the_deletion_stays(
    fleet: Rollout, clock: Clock
) -> None:
    retire(fleet)
    clock.turn(days=4)

    def keep(heard: str) -> None:
        if heard == "Delete demo@0.1.0":
            fleet.fleet.merge_tags(version_id("0.1.0"), {TAG_KEEP: "no"})

    fleet.tape.listen = keep

    with pytest.raises(RolloutRefused, match="tag imagebake-keep: absent → 'no'"):
        retire(fleet)

    assert "0.1.0" in numbers(fleet)


def test_what_changes_while_it_is_decided_stops_the_run(fleet: Rollout) -> None:
    def meanwhile(heard: str) -> None:
        if heard.startswith("waiting for"):
            fleet.world.scale_set("late", image=version_id("0.1.0"))
            fleet.fleet.delete_tags(version_id("0.1.0").partition("/versions")[0], [claim])

    claim = "imagebake-claim-theirs"
    definition = version_id().partition("/versions")[0]
    fleet.fleet.merge_tags(definition, {claim: "2027-01-01T00:00:00Z elsewhere/1:2 rotation"})
    fleet.tape.listen = meanwhile

    with pytest.raises(
        RolloutRefused, match="the set of retirable versions changed during planning"
    ):
        retire(fleet)

    assert fleet.version("0.2.0").end_of_life is None


@pytest.mark.parametrize("what", ["virtualmachines", "virtualmachinescalesets", "locks"])
def test_while_it_is_not_known_who_uses_what_nothing_goes(
    fleet: Rollout, clock: Clock, what: str
) -> None:
    retire(fleet)
    clock.turn(days=4)
    fleet.emulator.fail("GET", f"*/{what}", status=403, code="AuthorizationFailed", times=99)
    before = numbers(fleet)

    with pytest.raises(RolloutRefused, match="not everything could be read: the"):
        retire(fleet)

    assert numbers(fleet) == before


def test_while_azure_is_not_known_to_be_well_nothing_goes(fleet: Rollout) -> None:
    fleet.emulator.fail("GET", "*/events", status=500, times=99)

    with pytest.raises(NotNow):
        retire(fleet)

    assert fleet.version("0.1.0").end_of_life is None


def test_a_lock_keeps_everything_below_it(fleet: Rollout, clock: Clock) -> None:
    fleet.world.lock(version_id().partition("/images")[0])

    retire(fleet)
    clock.turn(days=9)
    retire(fleet)

    assert set(OLD) <= set(numbers(fleet))


def test_a_retirement_that_is_stopped_is_taken_up_again(fleet: Rollout, clock: Clock) -> None:
    fault = fleet.emulator.fail("PATCH", "*/versions/*", status=403, times=1)

    with pytest.raises(CloudError):
        retire(fleet)
    retire(fleet)
    retire(fleet)
    clock.turn(days=4)
    retire(fleet)
    retire(fleet)

    assert fault.hits == 1
    assert numbers(fleet) == ["1.0.0", "1.0.1"]
