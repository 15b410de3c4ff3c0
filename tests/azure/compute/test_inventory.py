from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from imagebake.azure.compute.fleet import Fleet
from imagebake.azure.compute.inventory import users
from imagebake.azure.model.fleet import UpgradeState
from imagebake.emulator.calls import Pace
from imagebake.emulator.resources import PAGE
from imagebake.emulator.server import Emulator
from imagebake.emulator.throttling import BucketLimits, ThrottlingPolicy
from imagebake.kernel.errors import CloudError
from tests.support.bake_services import a_template
from tests.support.live_fleets import GALLERY_ID, NOON, World, a_fleet, a_world, set_id, version_id

OTHER = GALLERY_ID.replace("galleries/imagebake", "galleries/other")


@pytest.fixture
def world(emulator: Emulator) -> Iterator[World]:
    with a_world(emulator) as world:
        world.shelf("demo", "second", softDeletePolicy={"isSoftDeleteEnabled": True})
        world.version("1.0.0", tags={"imagebake-keep": "yes"})
        world.version("1.0.1", "second", source=version_id())
        world.scale_set("web")
        yield world


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:
    with a_fleet(world.emulator) as fleet:
        yield fleet


def reads(fleet: Fleet) -> int:
    return int(fleet.metrics()["calls"].get("reads", 0))


def test_all_of_a_gallery_and_of_its_users_is_read(world: World, fleet: Fleet) -> None:
    world.lock(version_id())
    world.lock(world.cloud.endpoint.group_id, "all")

    found = fleet.inventory()

    assert (found.gallery, found.at, found.soft_delete) == (GALLERY_ID, NOON, True)
    assert [one.name for one in found.definitions] == ["demo", "second"]
    assert [one.id for one in found.versions] == [version_id(), version_id("1.0.1", "second")]
    assert found.versions[0].tags == {"imagebake-keep": "yes"}
    assert found.versions[1].parent == version_id().lower()
    (scale_set,) = found.scale_sets
    assert (scale_set.id, scale_set.name, scale_set.region) == (set_id(), "web", "westeurope")
    assert (scale_set.image, scale_set.tags) == (version_id(), {"for": "a test"})
    assert scale_set.etag
    assert [one.exact for one in scale_set.instances] == [version_id()] * 2
    assert found.locks == {
        version_id().lower(): ("precious",),
        world.cloud.endpoint.group_id.lower(): ("all",),
    }
    assert found.unread == ()


def test_no_list_is_read_twice_and_no_page_too_many(world: World, fleet: Fleet) -> None:
    for number in range(PAGE + 5):
        world.version(f"2.0.{number}")
    for name in ("a", "b"):
        world.scale_set(name, capacity=PAGE + 1)
    world.scale_set("empty", capacity=0)

    found = fleet.inventory()

    gallery, definitions, machines, locks, sets, templates = 1, 1, 1, 1, 1, 1
    versions = 2 + 1
    instances = 2 + 2 + 1
    assert len(found.versions) == PAGE + 7
    assert sum(len(one.instances) for one in found.scale_sets) == 2 * PAGE + 4
    lists = gallery + definitions + machines + locks + sets + templates
    assert reads(fleet) == lists + versions + instances


def test_what_an_image_template_starts_from_is_in_use(world: World, fleet: Fleet) -> None:
    body = a_template(version_id("3.0.0"))
    body["properties"]["source"] = {
        "type": "SharedImageVersion",
        "imageVersionId": version_id(),
    }
    world.cloud.image_builder.virtual_machine_image_templates.begin_create_or_update(
        world.cloud.endpoint.resource_group, "from-ours", body
    ).result()

    (target, who), *more = fleet.inventory().others.items()

    assert (target, len(who), more) == (version_id(), 1, [])
    assert who[0].endswith("/imageTemplates/from-ours")


def test_one_image_alone_is_read_but_then_nothing_may_be_deleted(fleet: Fleet) -> None:
    found = fleet.inventory(("second",), consumers=False)

    assert [one.name for one in found.definitions] == ["demo", "second"]
    assert [one.definition for one in found.versions] == ["second"]
    assert found.unread == (
        "whether versions of 1 other images were made from these",
        "who uses the images: it was not asked for",
    )
    assert reads(fleet) == 3


def test_instances_that_lag_show_how_far_their_upgrade_is(world: World, fleet: Fleet) -> None:
    world.version("1.0.9")
    world.emulator.pace = Pace(instance=3600.0)
    found = fleet.scale_set(set_id())
    assert found
    fleet.move(set_id(), version_id("1.0.9"), found.etag, 50)
    before = reads(fleet)
    none = fleet.inventory().scale_sets[0]
    fleet.start_upgrade(set_id())
    some = fleet.inventory().scale_sets[0]

    assert (none.upgrade, some.upgrade) == (UpgradeState.NONE, UpgradeState.RUNNING)
    assert {one.exact for one in some.instances} == {version_id("1.0.9"), version_id()}
    assert reads(fleet) - before == 2 * (6 + 2 + 1 + 1)


def test_a_model_of_another_gallery_may_have_instances_of_ours(world: World, fleet: Fleet) -> None:
    compute = world.cloud.compute
    other = {"location": "westeurope", "properties": {}}
    world.cloud.ask("create", compute.galleries.begin_create_or_update, "imagebake", "other", other)
    definition = world.resource(f"{GALLERY_ID}/images/demo")
    body = {"location": "westeurope", "properties": definition["properties"]}
    path = f"{OTHER}/images/demo?api-version=2025-03-03"
    world.cloud.send("create", "PUT", path, body)
    path = f"{OTHER}/images/demo/versions/1.0.0?api-version=2025-03-03"
    source = {"storageProfile": {"source": {"id": version_id()}}}
    world.cloud.send("create", "PUT", path, {"location": "westeurope", "properties": source})
    theirs = f"{OTHER}/images/demo/versions/1.0.0"
    world.scale_set("theirs", image=theirs)
    found = fleet.scale_set(set_id())
    assert found
    fleet.move(set_id(), theirs, found.etag, 20)

    inventory = fleet.inventory()

    assert [one.name for one in inventory.scale_sets] == ["web"]
    assert [one.exact for one in inventory.scale_sets[0].instances] == [version_id()] * 2


FORBIDDEN: dict[str, tuple[str, str]] = {
    "machines": ("*/Microsoft.Compute/virtualMachines", "the machines: cannot list the machines"),
    "scale sets": (
        "*/Microsoft.Compute/virtualMachineScaleSets",
        "the scale sets: cannot list the scale sets",
    ),
    "locks": ("*/Microsoft.Authorization/locks", "the locks: cannot list the locks"),
    "versions": ("*/images/second/versions", "the versions of second: cannot list the versions"),
    "instances": (
        "*/virtualMachineScaleSets/web/virtualMachines",
        f"the instances of {set_id()}: cannot list the instances of scale set 'web'",
    ),
}


@pytest.mark.parametrize("status", [403, 500, 429])
@pytest.mark.parametrize(("path", "message"), FORBIDDEN.values(), ids=list(FORBIDDEN))
def test_what_cannot_be_read_is_said_and_the_rest_is_there(
    emulator: Emulator, fleet: Fleet, path: str, message: str, status: int
) -> None:
    headers = {"retry-after-ms": "1"}
    emulator.fail("GET", path, status=status, code="Refused", times=99, headers=headers)

    found = fleet.inventory()

    assert [one.name for one in found.definitions] == ["demo", "second"]
    (unread,) = found.unread
    assert unread.startswith(message)
    assert "Refused" in unread


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_by_itself_is_not_noticed(
    emulator: Emulator, fleet: Fleet, status: int
) -> None:
    emulator.fail("GET", "*", status=status, times=4, headers={"retry-after-ms": "1"})
    emulator.fail("GET", "*", status=None, lose_reply=True, times=2)

    assert fleet.inventory().unread == ()


def test_a_throttled_subscription_is_read_as_fast_as_it_lets(
    emulator: Emulator, fleet: Fleet
) -> None:
    emulator.throttle = ThrottlingPolicy(reads=BucketLimits(30, 100))

    found = [fleet.inventory() for _ in range(8)]

    assert [one.unread for one in found] == [()] * 8
    metrics = fleet.metrics()
    assert metrics["calls"] == {"reads": 8 * 9 + metrics["retries"]}
    assert metrics["refused"] == metrics["retries"] <= 3


def test_without_the_gallery_there_is_nothing_to_decide_on(
    emulator: Emulator, fleet: Fleet
) -> None:
    emulator.fail("GET", "*/galleries/imagebake/images", status=403, code="AuthorizationFailed")

    with pytest.raises(CloudError) as caught:
        fleet.inventory()

    assert caught.value.code == "AuthorizationFailed"


def test_without_the_versions_of_an_image_that_is_named_neither(
    emulator: Emulator, fleet: Fleet
) -> None:
    emulator.fail("GET", "*/images/demo/versions", status=403, code="AuthorizationFailed")

    with pytest.raises(CloudError, match="cannot list the versions of 'demo'"):
        fleet.inventory(("demo",))


def test_who_uses_a_shared_gallery_cannot_all_be_known(world: World, fleet: Fleet) -> None:
    world.shelf(sharingProfile={"permissions": "Groups"})

    assert fleet.inventory().unread == (
        "who outside this subscription uses gallery imagebake, which is shared (Groups)",
    )


def test_a_machine_is_read_with_the_version_that_it_was_made_from(
    world: World, fleet: Fleet
) -> None:
    body: dict[str, Any] = {
        "location": "westeurope",
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "storageProfile": {"imageReference": {"id": version_id()}},
            "osProfile": {"computerName": "one", "adminUsername": "azureuser"},
            "networkProfile": {"networkInterfaces": [{"id": "/any"}]},
        },
    }
    machines = world.cloud.compute.virtual_machines
    world.cloud.ask("create", machines.begin_create_or_update, "imagebake", "one", body)

    found = fleet.inventory()

    assert [(one.image, one.exact) for one in found.machines] == [(version_id(), version_id())]


def test_a_machine_of_which_nobody_knows_the_image_is_said() -> None:
    known = {"storageProfile": {"imageReference": {"publisher": "Debian", "sku": "12"}}}
    resources = [
        {"id": "/odd", "properties": {"storageProfile": {"imageReference": {"id": "/new/shape"}}}},
        {"id": "/bare", "properties": {}},
        {"id": "/other", "properties": known},
        {"id": "/disk", "properties": {"storageProfile": {"osDisk": {}}}},
    ]

    found, unread = users(resources, GALLERY_ID)

    assert found == ()
    assert unread == ("which image /odd was made from", "which image /bare was made from")
