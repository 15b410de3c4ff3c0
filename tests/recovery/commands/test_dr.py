"""A region is lost, and the fleet goes on from a second gallery: with real requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.azure.client.errors import OutcomeUnknown
from imagebake.emulator.calls import Pace
from imagebake.emulator.outages import Outages
from imagebake.kernel.errors import (
    CloudError,
    ImagebakeError,
    RolloutRefused,
    UsageError,
    ValidationFailed,
)
from imagebake.kernel.settings import Settings
from imagebake.recovery.commands.dr import (
    compare,
    copy_image,
    dr,
    read_gaps,
    restore_versions,
    use_gallery,
)
from imagebake.rollout.operation import RolloutContext, second_gallery
from tests.support.emulators import Clock
from tests.support.live_fleets import set_id, version_id
from tests.support.rollouts import REGIONS, SETS, Rollout, a_rollout

TWO = Settings(second_gallery="spare", second_location="northeurope")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Rollout]:
    with a_rollout(tmp_path, Clock()) as rollout:
        rollout.settings = TWO
        yield rollout


def in_two_regions(rollout: Rollout) -> None:
    """The usual fleet, half of which is in northeurope."""
    rollout.world.shelf("demo")
    rollout.bake("1.0.0")
    for name in SETS[:2]:
        rollout.world.scale_set(name)
    rollout.promote("1.0.0", "canary")
    rollout.promote("1.0.0", "broad")
    for name in SETS[2:]:
        rollout.world.scale_set(name, place="northeurope")
    rollout.clock.turn(days=1)
    rollout.bake("1.0.1")


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[Rollout]:
    with a_rollout(tmp_path, Clock(), build=in_two_regions) as rollout:
        rollout.settings = TWO
        yield rollout


def spare(fleet: Rollout) -> RolloutContext:
    return second_gallery(fleet.place)


def copy(fleet: Rollout) -> None:
    copy_image(fleet.place, spare(fleet), fleet.spec, plan=False, as_json=True)


def use(fleet: Rollout, *, back: bool = False, without: str = "") -> None:
    pair = (spare(fleet), fleet.place)
    at, other = pair[::-1] if back else pair
    use_gallery(at, other, fleet.spec, without=frozenset(filter(None, [without])), as_json=True)


def models(fleet: Rollout) -> dict[str, str]:
    """The gallery and version that each scale set's model names."""
    found = {}
    for name in SETS:
        body = fleet.world.resource(set_id(name))
        profile = body["properties"]["virtualMachineProfile"]["storageProfile"]
        words = profile["imageReference"]["id"].split("/")
        found[name] = f"{words[8]} {words[-1]}"
    return found


def copies(fleet: Rollout) -> list[str]:
    inventory = spare(fleet).fleet.inventory(consumers=False)
    return sorted(str(version.version) for version in inventory.versions)


def test_copies_are_their_originals_and_a_second_run_writes_nothing(fleet: Rollout) -> None:
    fleet.rotate()
    copy(fleet)
    before = spare(fleet).fleet.inventory(consumers=False).versions

    with fleet.again() as later:
        copy(later)

    assert copies(fleet) == ["1.0.0", "1.0.1"]
    assert [version.parent for version in before] == [
        version_id(n).lower() for n in ("1.0.0", "1.0.1")
    ]
    assert all(version.hidden for version in before)
    assert spare(fleet).fleet.inventory(consumers=False).versions == before
    assert lacking_words(fleet) == ["demo, ring broad: no good version before 1.0.0 to go back to"]


def test_a_second_gallery_that_is_not_there_yet_is_one_line_with_its_command(
    fleet: Rollout,
) -> None:
    found = read_gaps(fleet.place, [])

    assert ("gallery spare", "there is none", "./inv dr copy IMAGE") in [
        (gap.subject, gap.what, gap.command) for gap in found
    ]


def lacking_words(fleet: Rollout) -> list[str]:
    """What is missing, but for bins, which the emulator's gallery has not."""
    found = read_gaps(fleet.place, [fleet.spec])
    return [f"{gap.subject}: {gap.what}" for gap in found if "deleted" not in gap.what]


def test_a_region_is_lost_and_the_fleet_goes_on_from_the_second_gallery(wide: Rollout) -> None:
    fleet = wide
    fleet.rotate()
    copy(fleet)

    fleet.emulator.lost = frozenset({"westeurope"})
    with pytest.raises(CloudError):
        fleet.rollback()
    gaps = lacking_words(fleet)
    use(fleet, without="westeurope")
    fleet.emulator.lost = frozenset()

    assert gaps[0].startswith("gallery imagebake: it cannot be read")
    assert models(fleet) == {
        "canary": "imagebake 1.0.1",
        "broad-1": "imagebake 1.0.0",
        "broad-2": "spare 1.0.0",
        "broad-3": "spare 1.0.0",
    }
    use(fleet)
    assert set(models(fleet).values()) == {"spare 1.0.0", "spare 1.0.1"}
    use(fleet, back=True)
    assert set(models(fleet).values()) == {"imagebake 1.0.0", "imagebake 1.0.1"}


def test_a_rollback_works_in_the_second_gallery_as_in_the_first(fleet: Rollout) -> None:
    fleet.rotate()
    fleet.clock.turn(days=1)
    fleet.rotate()
    copy(fleet)
    use(fleet)

    InSecond(fleet).rollback()

    assert set(models(fleet).values()) == {"spare 1.0.0"}
    assert lacking_words(fleet)


class InSecond(Rollout):
    """The same fleet, seen as `in_use: second` has it."""

    def __init__(self, of: Rollout) -> None:
        super().__init__(of.emulator, of.folder, of.clock, of.cloud, of.spec, of.settings)

    @property
    def place(self) -> RolloutContext:
        return second_gallery(super().place)


def test_a_copy_that_fails_to_replicate_is_said_and_nothing_counts_on_it(fleet: Rollout) -> None:
    fleet.emulator.pace = Pace(failing_regions=frozenset({"northeurope"}))

    with pytest.raises(RolloutRefused, match=r"replication of demo@1\.0\.0 to northeurope failed"):
        copy(fleet)

    with pytest.raises(ValidationFailed, match=r"the copy of demo@1\.0\.0 cannot take its place"):
        compare(fleet.place, spare(fleet), fleet.spec, fleet.inventory())


def test_a_machine_moves_nowhere_before_there_is_a_copy(fleet: Rollout) -> None:
    before = models(fleet)

    with pytest.raises(UsageError) as caught:
        use(fleet)

    assert caught.value.hint == "./inv dr copy demo"
    assert models(fleet) == before


def test_without_a_second_gallery_everything_says_how_to_name_one(fleet: Rollout) -> None:
    fleet.settings = Settings()

    with pytest.raises(UsageError, match="there is no second gallery"):
        spare(fleet)
    assert "settings: there is no second gallery" in lacking_words(fleet)


@pytest.mark.parametrize("request_number", [1, 3, 5, 9])
def test_whichever_write_is_lost_a_second_run_ends_the_same(
    fleet: Rollout, request_number: int
) -> None:
    fault = fleet.emulator.fail("PUT", "*/galleries/spare*", status=409, times=request_number)
    try:
        copy(fleet)
    except ImagebakeError:
        fault.left = 0
        copy(fleet)

    assert copies(fleet) == ["1.0.0"]
    compare(fleet.place, spare(fleet), fleet.spec, fleet.inventory())


def test_what_a_folder_says_is_broken_is_broken_for_every_process(tmp_path: Path) -> None:
    with a_rollout(tmp_path, Clock()) as rollout:
        assert set(REGIONS) >= {"westeurope"}
        Outages(lost=frozenset({"westeurope"})).write(rollout.emulator.folder)
    with a_rollout(tmp_path, Clock()) as later, pytest.raises((CloudError, OutcomeUnknown)):
        later.inventory()


def kept_for_days(rollout: Rollout) -> None:
    """A gallery that keeps what is deleted, with a version that nobody uses."""
    rollout.world.shelf("demo", softDeletePolicy={"isSoftDeleteEnabled": True})
    rollout.bake("1.0.0")
    rollout.bake("1.0.1")


def test_what_was_deleted_comes_back_as_it_was_while_the_gallery_keeps_it(tmp_path: Path) -> None:
    with a_rollout(tmp_path, Clock(), build=kept_for_days) as fleet:
        before = fleet.inventory().versions
        with pytest.raises(RolloutRefused) as nothing:
            restore_versions(fleet.place, fleet.spec, None)
        for version in before:
            fleet.fleet.delete(version.id)

        first = restore_versions(fleet.place, fleet.spec, "1.0.1")
        restore_versions(fleet.place, fleet.spec, None)

        assert nothing.value.message == "the gallery keeps nothing of demo that was deleted"
        assert first == (version_id("1.0.1"),)
        assert fleet.inventory().versions == before
        for version in before:
            fleet.fleet.delete(version.id)
        fleet.clock.turn(days=8)
        with pytest.raises(RolloutRefused, match=r"nothing of demo@1\.0\.0 that was deleted"):
            restore_versions(fleet.place, fleet.spec, "1.0.0")


@pytest.mark.parametrize(
    ("action", "name", "message"),
    [
        ("", "", "say what dr shall do"),
        ("fly", "", "dr has no action 'fly'"),
        ("copy", "", "name an image"),
        ("use", "third", "say which gallery is to be used"),
        ("restore", "", "name an image, or IMAGE@VERSION"),
    ],
)
def test_what_dr_is_not_told_is_asked_for(action: str, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dr(action, name, "", without="", plan=False, as_json=True)
