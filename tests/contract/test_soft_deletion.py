"""Contract of soft deletion of image versions."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from tests.support import scale_sets
from tests.support.emulators import DEFINITION_ID, GROUP, Azure, Clock

POLICY = {"isSoftDeleteEnabled": True, "retentionPeriodInDays": 7, "gracePeriodInDays": 3}


pytestmark = pytest.mark.emulator_only("fills a bin that only days empty")


@pytest.fixture(autouse=True)
def shelf(arm: Azure) -> None:
    arm.gallery(softDeletePolicy=POLICY)
    arm.definition()
    arm.version("1.0.0", tags={"made-by": "a test"})
    arm.version("1.0.1")


def delete(arm: Azure, version: str = "1.0.1", **options: bool) -> None:
    arm.compute.gallery_image_versions.begin_delete(
        GROUP, "shelf", "demo", version, **options
    ).result()


def restore(arm: Azure, version: str = "1.0.1", location: str = "westeurope") -> Any:  # noqa: ANN401
    body: Any = {"location": location, "properties": {"restore": True}}
    versions = arm.compute.gallery_image_versions
    return versions.begin_create_or_update(GROUP, "shelf", "demo", version, body).result()


def there(arm: Azure) -> list[str]:
    found = arm.compute.gallery_image_versions.list_by_gallery_image(GROUP, "shelf", "demo")
    return [str(version.name) for version in found]


def kept(arm: Azure) -> list[Any]:
    found = arm.compute.soft_deleted_resource.list_by_artifact_name(
        GROUP, "shelf", "Images", "demo"
    )
    return list(found)


def test_what_is_deleted_is_kept_and_says_until_when(arm: Azure, clock: Clock) -> None:
    delete(arm, "1.0.0")

    assert there(arm) == ["1.0.1"]
    (version,) = kept(arm)
    assert (version.name, version.resource_arm_id) == ("1.0.0", f"{DEFINITION_ID}/versions/1.0.0")
    assert version.tags == {"made-by": "a test"}
    assert (version.consumption_end_time - clock()).days == 7
    assert (version.hard_deletion_target_time - clock()).days == 10
    with pytest.raises(ResourceNotFoundError):
        arm.compute.gallery_image_versions.get(GROUP, "shelf", "demo", "1.0.0")


@pytest.mark.parametrize("days", [0, 6, 9])
def test_it_can_be_restored_as_it_was(arm: Azure, clock: Clock, days: int) -> None:
    delete(arm, "1.0.0")
    clock.turn(days=days)

    restored = restore(arm, "1.0.0")

    assert restored.tags == {"made-by": "a test"}
    assert restored.properties.provisioning_state == "Succeeded"
    assert there(arm) == ["1.0.0", "1.0.1"]
    assert kept(arm) == []


def test_after_that_it_is_gone(arm: Azure, clock: Clock) -> None:
    delete(arm)
    clock.turn(days=10)

    assert kept(arm) == []
    with pytest.raises(ResourceNotFoundError):
        restore(arm)


def test_it_is_restored_where_it_was(arm: Azure) -> None:
    delete(arm)

    with pytest.raises(HttpResponseError) as caught:
        restore(arm, location="northeurope")

    assert caught.value.status_code == 409


def test_it_is_used_by_its_number_while_it_is_retained(arm: Azure, clock: Clock) -> None:
    delete(arm)
    exact = f"{DEFINITION_ID}/versions/1.0.1"

    scale_sets.create(arm, image=exact)
    scale_sets.create(arm, "latest", image=DEFINITION_ID)
    clock.turn(days=8)

    assert scale_sets.versions(arm) == ["1.0.1"] * 2
    assert scale_sets.versions(arm, "latest") == ["1.0.0"] * 2
    with pytest.raises(HttpResponseError) as caught:
        scale_sets.update(arm, {"sku": {"capacity": 3}})
    error: Any = caught.value.error
    assert error.code == "GalleryImageNotFound"


def test_who_goes_round_the_bin_deletes_for_good(arm: Azure) -> None:
    delete(arm, bypass_soft_delete=True)

    assert kept(arm) == []


def test_without_a_policy_deletion_is_for_good(arm: Azure) -> None:
    arm.gallery(softDeletePolicy={"isSoftDeleteEnabled": False})

    delete(arm)

    assert kept(arm) == []
    assert there(arm) == ["1.0.0"]


def test_a_number_in_the_bin_is_taken(arm: Azure) -> None:
    delete(arm)

    with pytest.raises(HttpResponseError) as caught:
        arm.version("1.0.1")

    assert caught.value.status_code == 409


def test_what_has_something_in_the_bin_is_not_deleted(arm: Azure, clock: Clock) -> None:
    delete(arm, "1.0.0")
    delete(arm, "1.0.1")

    with pytest.raises(HttpResponseError) as caught:
        arm.compute.gallery_images.begin_delete(GROUP, "shelf", "demo").result()
    error: Any = caught.value.error
    assert error.code == "CannotDeleteResource"

    clock.turn(days=10)
    arm.compute.gallery_images.begin_delete(GROUP, "shelf", "demo").result()
    arm.compute.galleries.begin_delete(GROUP, "shelf").result()


def test_a_deletion_under_way_can_be_asked_for_twice(
    arm: Azure, emulator: Emulator, clock: Clock
) -> None:
    emulator.pace = Pace(operation=30)
    versions = arm.compute.gallery_image_versions
    versions.begin_delete(GROUP, "shelf", "demo", "1.0.1", polling=False)
    clock.turn(seconds=10)

    versions.begin_delete(GROUP, "shelf", "demo", "1.0.1", polling=False)
    clock.turn(seconds=60)

    assert [version.name for version in kept(arm)] == ["1.0.1"]
