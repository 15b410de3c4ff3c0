"""Contract of scale sets with uniform orchestration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError

from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from tests.support.contract_target import Subscription
from tests.support.emulators import DEFINITION_ID, GROUP, Azure, Clock, azure
from tests.support.scale_sets import a_scale_set, create, image, states, update, versions


@pytest.fixture
def arm(end: Emulator | Subscription) -> Iterator[Azure]:
    with azure(end) as clients:
        clients.shelf()
        clients.version("1.0.0")
        clients.version("1.0.1")
        yield clients


def sets(arm: Azure) -> Any:  # noqa: ANN401 - the client's generated type says nothing more
    return arm.compute.virtual_machine_scale_sets


def why(caught: pytest.ExceptionInfo[Any]) -> Any:  # noqa: ANN401 - a model
    """Return the code and message of a refused call."""
    return caught.value.error


def instances(arm: Azure, **options: Any) -> list[Any]:  # noqa: ANN401 - models
    return list(arm.compute.virtual_machine_scale_set_vms.list(GROUP, "web", **options))


def test_a_scale_set_has_as_many_instances_as_it_wants(arm: Azure) -> None:
    made = create(arm, capacity=3)

    assert made.provisioning_state == "Succeeded"
    assert [instance.instance_id for instance in instances(arm)] == ["0", "1", "2"]
    assert [instance.name for instance in instances(arm)] == ["web_0", "web_1", "web_2"]
    names = [instance.os_profile.computer_name for instance in instances(arm)]
    assert names == ["web000000", "web000001", "web000002"]
    assert versions(arm) == ["1.0.0"] * 3


def test_scaling_in_takes_the_youngest_and_numbers_are_not_given_twice(arm: Azure) -> None:
    create(arm, capacity=3)

    update(arm, {"sku": {"capacity": 1}})
    update(arm, {"sku": {"capacity": 2}})

    assert [instance.instance_id for instance in instances(arm)] == ["0", "3"]


def test_a_put_of_the_size_alone_leaves_the_model(arm: Azure) -> None:
    create(arm, capacity=3)
    body: Any = {"location": "westeurope", "sku": {"name": "Standard_D2s_v5", "capacity": 1}}

    changed = sets(arm).begin_create_or_update(GROUP, "web", body).result()

    assert changed.virtual_machine_profile == sets(arm).get(GROUP, "web").virtual_machine_profile
    assert [instance.latest_model_applied for instance in instances(arm)] == [True]


def test_scale_sets_are_listed_in_their_group_and_in_their_subscription(arm: Azure) -> None:
    create(arm)
    create(arm, "api", capacity=0)

    assert [scale_set.name for scale_set in sets(arm).list(GROUP)] == ["api", "web"]
    assert [scale_set.name for scale_set in sets(arm).list_all()] == ["api", "web"]


def test_a_list_of_instances_comes_in_pages_with_what_was_asked_for(arm: Azure) -> None:
    create(arm, capacity=60)

    found = instances(arm, expand="instanceView")

    assert len(found) == 60
    assert all(instance.instance_view.statuses for instance in found)


def test_every_change_moves_the_etag(arm: Azure) -> None:
    first = create(arm).etag
    same = sets(arm).get(GROUP, "web").etag

    second = update(arm, {"tags": {"new": "tag"}}).etag

    assert (first, same, second) == ('"1"', '"1"', '"2"')


def test_a_write_to_what_has_moved_meanwhile_is_refused(arm: Azure) -> None:
    stale = create(arm).etag
    update(arm, {"tags": {"somebody": "else"}})
    body: Any = a_scale_set()
    condition = {"etag": stale, "match_condition": MatchConditions.IfNotModified}

    with pytest.raises(ResourceModifiedError) as caught:
        update(arm, image("1.0.1"), **condition)
    with pytest.raises(ResourceModifiedError):
        sets(arm).begin_create_or_update(GROUP, "web", body, **condition).result()

    assert caught.value.status_code == 412
    assert why(caught).code == "PreconditionFailed"
    text = 'Etag provided in if-match header "1" does not match etag "2" of resource.'
    assert text in caught.value.message
    assert sets(arm).get(GROUP, "web").tags == {"somebody": "else"}


def test_a_write_that_depends_on_what_is_there_succeeds(arm: Azure) -> None:
    known = create(arm)

    changed = update(
        arm,
        image("1.0.1"),
        etag=known.etag,
        match_condition=MatchConditions.IfNotModified,
    )

    reference = changed.virtual_machine_profile.storage_profile.image_reference
    assert reference.id.endswith("/versions/1.0.1")


def test_what_exists_is_not_created_where_that_was_the_condition(arm: Azure) -> None:
    body: Any = a_scale_set()
    only_new = {"etag": "*", "match_condition": MatchConditions.IfMissing}
    sets(arm).begin_create_or_update(GROUP, "web", body, **only_new).result()

    with pytest.raises(HttpResponseError) as caught:
        sets(arm).begin_create_or_update(GROUP, "web", body, **only_new).result()

    assert caught.value.status_code == 412


def test_a_new_model_is_not_yet_that_of_the_instances(arm: Azure) -> None:
    create(arm)

    update(arm, image("1.0.1"))

    assert [instance.latest_model_applied for instance in instances(arm)] == [False, False]
    assert versions(arm) == ["1.0.0"] * 2


def test_new_instances_have_the_model_of_the_day(arm: Azure) -> None:
    create(arm)
    update(arm, image("1.0.1"))

    update(arm, {"sku": {"capacity": 3}})

    assert versions(arm) == ["1.0.0", "1.0.0", "1.0.1"]
    assert [instance.latest_model_applied for instance in instances(arm)] == [False, False, True]


def test_a_patch_leaves_what_it_does_not_name(arm: Azure) -> None:
    create(arm, capacity=1)

    changed = update(arm, {"sku": {"capacity": 2}})

    assert changed.sku.name == "Standard_D2s_v5"
    assert changed.tags == {"for": "a test"}
    assert changed.upgrade_policy.mode == "Manual"
    assert [instance.latest_model_applied for instance in instances(arm)] == [True, True]


def test_a_definition_stands_for_the_latest_version_that_the_region_shows(arm: Azure) -> None:
    hidden: Any = {"targetRegions": [{"name": "westeurope", "excludeFromLatest": True}]}
    arm.version("1.0.2", **hidden)
    arm.version("1.0.3", excludeFromLatest=True)
    arm.version("1.0.4", targetRegions=[{"name": "westeurope"}, {"name": "northeurope"}])
    body: Any = {"properties": {"publishingProfile": hidden}}
    gallery_versions = arm.compute.gallery_image_versions
    gallery_versions.begin_update(GROUP, "shelf", "demo", "1.0.4", body).result()

    create(arm, image=DEFINITION_ID)

    assert versions(arm) == ["1.0.1"] * 2


def test_a_version_that_the_region_does_not_have_is_refused(
    arm: Azure, emulator: Emulator, clock: Clock
) -> None:
    emulator.pace = Pace(replication=600)
    body: Any = {
        "location": "westeurope",
        "properties": {
            "publishingProfile": {"targetRegions": [{"name": "westeurope"}, {"name": "eastus"}]}
        },
    }
    gallery_versions = arm.compute.gallery_image_versions
    gallery_versions.begin_create_or_update(GROUP, "shelf", "demo", "1.0.1", body, polling=False)

    with pytest.raises(HttpResponseError) as caught:
        create(arm, "far", place="eastus", image=f"{DEFINITION_ID}/versions/1.0.1")
    assert why(caught).code == "GalleryImageNotFound"

    clock.turn(seconds=601)
    emulator.pace = Pace()
    create(arm, "far", place="eastus", image=f"{DEFINITION_ID}/versions/1.0.1")
    assert versions(arm, "far") == ["1.0.1"] * 2


def test_the_model_cannot_name_a_version_that_does_not_exist(arm: Azure) -> None:
    create(arm)

    with pytest.raises(HttpResponseError) as caught:
        update(arm, image("9.9.9"))

    assert why(caught).code == "GalleryImageNotFound"
    assert versions(arm) == ["1.0.0"] * 2


def test_instances_take_their_time_and_may_fail(
    arm: Azure, emulator: Emulator, clock: Clock
) -> None:
    emulator.pace = Pace(instance=60, failing_instances=frozenset({"web_1"}))
    create(arm)
    assert states(arm) == ["Creating", "Creating"]

    clock.turn(seconds=61)

    assert states(arm) == ["Succeeded", "Failed"]
    view: Any = arm.compute.virtual_machine_scale_set_vms.get_instance_view(GROUP, "web", "1")
    assert view.vm_health.status.code == "HealthState/unhealthy"
    summary = sets(arm).get_instance_view(GROUP, "web").virtual_machine.statuses_summary
    assert [(state.code, state.count) for state in summary] == [
        ("ProvisioningState/failed", 1),
        ("ProvisioningState/succeeded", 1),
    ]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"mode": "Sometimes"}, "upgradePolicy.mode"),
        ({"policy": {"maxBatchInstancePercent": 4}}, "maxBatchInstancePercent"),
        ({"policy": {"maxUnhealthyInstancePercent": 101}}, "maxUnhealthyInstancePercent"),
        ({"policy": {"pauseTimeBetweenBatches": "5 minutes"}}, "pauseTimeBetweenBatches"),
        ({"capacity": -1}, "sku.capacity"),
        ({"osProfile": {"computerNamePrefix": "web"}}, "osProfile.adminUsername"),
        ({"storageProfile": {"osDisk": {}}}, "imageReference"),
        ({"image": "/subscriptions/any"}, "imageReference.id"),
    ],
)
def test_what_a_scale_set_cannot_be_made_from_is_refused_at_once(
    arm: Azure, change: dict[str, Any], name: str
) -> None:
    with pytest.raises(HttpResponseError) as caught:
        create(arm, **change)

    assert why(caught).code == "InvalidParameter"
    assert name in why(caught).message
    assert list(sets(arm).list(GROUP)) == []


def test_secrets_of_a_scale_set_are_not_told_again(arm: Azure) -> None:
    profile = {"computerNamePrefix": "web", "adminUsername": "me", "customData": "c2VjcmV0"}

    create(arm, osProfile=profile)

    assert "c2VjcmV0" not in str(sets(arm).get(GROUP, "web").as_dict())
    assert "c2VjcmV0" not in str([instance.as_dict() for instance in instances(arm)])


def test_a_scale_set_goes_with_its_instances(arm: Azure) -> None:
    create(arm)

    sets(arm).begin_delete(GROUP, "web").result()

    with pytest.raises(ResourceNotFoundError):
        sets(arm).get(GROUP, "web")
    create(arm, capacity=1)
    assert [instance.instance_id for instance in instances(arm)] == ["0"]
