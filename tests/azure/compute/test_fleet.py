from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest

from imagebake.azure.client.errors import ChangedMeanwhile, Conflict, NotFound
from imagebake.azure.compute.fleet import Fleet
from imagebake.azure.model.fleet import UpgradeState
from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import CloudError
from tests.support.live_fleets import GALLERY_ID, World, a_fleet, a_world, set_id, version_id

END = dt.datetime(2100, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
NO_REGION: frozenset[str] = frozenset()
Hand = Callable[[Fleet], object]


@pytest.fixture
def world(emulator: Emulator) -> Iterator[World]:
    with a_world(emulator) as world:
        world.shelf("demo")
        world.version("1.0.0", regions=("westeurope", "northeurope"), tags={"kept": "yes"})
        world.version("1.0.1")
        world.scale_set("web")
        yield world


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:
    with a_fleet(world.emulator) as fleet:
        yield fleet


def publish(fleet: Fleet) -> None:
    replicas = {"westeurope": 3, "swedencentral": 1}
    fleet.publish(version_id(), replicas, frozenset({"swedencentral"}))


HANDS: dict[str, Hand] = {
    "publish": publish,
    "show": lambda fleet: fleet.set_shown(version_id(), frozenset({"westeurope"})),
    "hide": lambda fleet: fleet.set_shown(version_id(), NO_REGION),
    "end of life": lambda fleet: fleet.set_end_of_life(version_id(), END),
    "guard": lambda fleet: fleet.set_deletion_block(version_id(), on=True),
    "merge tags": lambda fleet: fleet.merge_tags(version_id(), {"one": "1"}),
    "delete tags": lambda fleet: fleet.delete_tags(version_id(), {"kept"}),
    "delete": lambda fleet: fleet.delete(version_id("1.0.1")),
    "start": lambda fleet: fleet.start_upgrade(set_id()),
    "move": lambda fleet: fleet.move(set_id(), version_id("1.0.1"), etag_of(fleet), 10),
}

METHODS = {"delete": "DELETE", "start": "POST"}


def etag_of(fleet: Fleet) -> str:
    found = fleet.scale_set(set_id())
    return found.etag if found else ""


def summary(fleet: Fleet) -> object:
    """Everything that writes change, without the values that only count changes."""
    version, gone = fleet.version(version_id()), fleet.version(version_id("1.0.1"))
    scale_set = fleet.scale_set(set_id())
    assert version
    assert scale_set
    instances = [one.exact for one in fleet.inventory().scale_sets[0].instances]
    return version.to_json(), gone is None, scale_set.image, instances


def test_a_version_is_published_shown_hidden_dated_and_guarded(fleet: Fleet) -> None:
    publish(fleet)
    fleet.set_shown(version_id(), frozenset({"swedencentral"}))
    fleet.set_end_of_life(version_id(), END)
    fleet.set_deletion_block(version_id(), on=True)

    version = fleet.version(version_id())

    assert version
    assert version.replicas == {"westeurope": 3, "swedencentral": 1}
    assert version.regions == {"westeurope": "Completed", "swedencentral": "Completed"}
    assert version.excluded == {"westeurope"}
    assert version.shown == {"swedencentral"}
    assert (version.end_of_life, version.guarded) == (END, True)
    assert version.tags == {"kept": "yes"}
    with pytest.raises(Conflict, match="blockDeletionBeforeEndOfLife"):
        fleet.delete(version_id())
    fleet.set_deletion_block(version_id(), on=False)
    fleet.set_end_of_life(version_id(), None)
    fleet.set_shown(version_id(), NO_REGION)
    version = fleet.version(version_id())
    assert version
    assert (version.hidden, version.end_of_life, version.guarded) == (True, None, False)


def test_what_is_not_ours_in_a_target_region_stays(world: World, fleet: Fleet) -> None:
    world.version(
        "2.0.0", targetRegions=[{"name": "West Europe", "storageAccountType": "Premium_LRS"}]
    )

    fleet.publish(version_id("2.0.0"), {"westeurope": 1, "northeurope": 1}, NO_REGION)

    profile = world.resource(version_id("2.0.0"))["properties"]["publishingProfile"]
    kinds = {one["name"]: one["storageAccountType"] for one in profile["targetRegions"]}
    assert kinds["westeurope"] == "Premium_LRS"


def test_nothing_is_shown_where_it_is_not_published(fleet: Fleet) -> None:
    with pytest.raises(CloudError) as caught:
        fleet.set_shown(version_id(), frozenset({"uksouth"}))

    assert caught.value.message == (
        "cannot show version demo@1.0.0 in uksouth: it is not published there"
    )


def test_a_copy_is_not_waited_for(world: World, fleet: Fleet) -> None:
    world.emulator.pace = Pace(replication=3600.0)

    publish(fleet)

    assert fleet.replicas(version_id()) == {
        "westeurope": "Completed",
        "swedencentral": "Replicating",
    }


def test_what_does_not_exist_has_no_replicas_and_is_not_written(fleet: Fleet) -> None:
    assert fleet.replicas(version_id("9.9.9")) == {}
    assert fleet.scale_set(set_id("none")) is None
    assert fleet.upgrade(set_id("none")) is UpgradeState.NONE
    fleet.delete(version_id("9.9.9"))
    with pytest.raises(NotFound):
        fleet.set_deletion_block(version_id("9.9.9"), on=True)


@pytest.mark.parametrize("hand", HANDS.values(), ids=list(HANDS))
def test_every_hand_may_be_used_twice(fleet: Fleet, hand: Hand) -> None:
    hand(fleet)
    once = summary(fleet)

    hand(fleet)

    assert summary(fleet) == once


@pytest.mark.parametrize("name", HANDS)
@pytest.mark.parametrize("fault", ["429", "lost", "500"])
def test_a_fault_on_the_way_leaves_what_was_wanted(
    emulator: Emulator, fleet: Fleet, name: str, fault: str
) -> None:
    hand, method = HANDS[name], METHODS.get(name, "PATCH")
    headers = {"retry-after-ms": "1"}
    if fault == "lost":
        emulator.fail(method, "*", status=None, lose_reply=True)
    else:
        emulator.fail(method, "*", status=int(fault), code="Fault", headers=headers)

    try:
        hand(fleet)
    except CloudError:
        assert method == "POST"
        hand(fleet)

    after = summary(fleet)
    hand(fleet)
    assert summary(fleet) == after


@pytest.mark.parametrize("status", [409, 412])
@pytest.mark.parametrize("hand", HANDS.values(), ids=list(HANDS))
def test_a_conflict_is_said_and_passes(
    emulator: Emulator, fleet: Fleet, hand: Hand, status: int
) -> None:
    for method in ("PATCH", "DELETE", "POST"):
        emulator.fail(method, "*", status=status, code="Conflict")

    with pytest.raises(Conflict):
        hand(fleet)

    hand(fleet)


def test_what_is_so_already_is_not_written(fleet: Fleet) -> None:
    before = fleet.metrics()["calls"].get("writes", 0)

    fleet.publish(version_id(), {"westeurope": 1, "northeurope": 1}, NO_REGION)
    fleet.set_shown(version_id(), frozenset({"westeurope", "northeurope"}))
    fleet.set_end_of_life(version_id(), None)
    fleet.set_deletion_block(version_id(), on=False)

    assert fleet.metrics()["calls"].get("writes", 0) == before


def test_a_deletion_is_undone_where_the_gallery_keeps_what_was_deleted(
    world: World, fleet: Fleet
) -> None:
    world.shelf(softDeletePolicy={"isSoftDeleteEnabled": True})
    before = fleet.version(version_id())
    fleet.delete(version_id())
    gone = fleet.version(version_id())

    fleet.restore(version_id())
    fleet.restore(version_id())

    assert gone is None
    assert fleet.version(version_id()) == before


def test_what_is_gone_for_good_is_not_restored(fleet: Fleet) -> None:
    fleet.delete(version_id())

    with pytest.raises(CloudError) as caught:
        fleet.restore(version_id())

    assert caught.value.message == (
        "version demo@1.0.0 cannot be restored: it is not among what was deleted"
    )


def test_tags_of_several_writers_are_all_kept(world: World, fleet: Fleet) -> None:
    definition = f"{GALLERY_ID}/images/demo"
    fleet.merge_tags(definition, {"imagebake-claim-a": "one"})
    with a_fleet(world.emulator) as other:
        other.merge_tags(definition, {"imagebake-claim-b": "two"})

    fleet.delete_tags(definition, {"imagebake-claim-a", "never there"})

    assert fleet.definition_tags("demo") == {"imagebake-claim-b": "two"}


def test_a_scale_set_is_moved_and_its_instances_follow(fleet: Fleet) -> None:
    fleet.move(set_id(), version_id("1.0.1"), etag_of(fleet), 3)
    assert fleet.upgrade(set_id()) is UpgradeState.NONE

    fleet.start_upgrade(set_id())

    assert fleet.upgrade(set_id()) is UpgradeState.DONE
    found = fleet.inventory().scale_sets[0]
    assert found.image == version_id("1.0.1")
    assert {one.exact for one in found.instances} == {version_id("1.0.1")}


def test_somebody_else_s_change_is_not_overwritten_and_they_are_named(fleet: Fleet) -> None:
    etag = etag_of(fleet)
    fleet.merge_tags(set_id(), {"theirs": "1"})

    with pytest.raises(ChangedMeanwhile) as caught:
        fleet.move(set_id(), version_id("1.0.1"), etag, 20)

    assert caught.value.message.startswith("cannot move scale set 'web': imagebake changed it at ")
    assert caught.value.message.endswith(" since it was read")
    found = fleet.scale_set(set_id())
    assert found
    assert found.image == version_id()


def test_an_upgrade_goes_on_until_it_is_cancelled(world: World, fleet: Fleet) -> None:
    world.emulator.pace = Pace(instance=3600.0)
    fleet.move(set_id(), version_id("1.0.1"), etag_of(fleet), 50)
    fleet.start_upgrade(set_id())
    fleet.start_upgrade(set_id())

    state = fleet.upgrade(set_id())
    fleet.cancel_upgrade(set_id())

    assert state is UpgradeState.RUNNING


def test_an_upgrade_that_breaks_instances_has_failed(world: World, fleet: Fleet) -> None:
    world.emulator.pace = Pace(failing_instances=frozenset({"web_*@1.0.1"}))
    fleet.move(set_id(), version_id("1.0.1"), etag_of(fleet), 100)

    fleet.start_upgrade(set_id())

    assert fleet.upgrade(set_id()) is UpgradeState.FAILED
    fleet.cancel_upgrade(set_id())


def test_an_id_of_something_else_is_refused(fleet: Fleet) -> None:
    with pytest.raises(CloudError, match="names no virtualmachinescalesets"):
        fleet.upgrade(version_id())
