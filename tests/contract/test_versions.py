"""Contract of image versions."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from tests.contract.conftest import Refused
from tests.support import scale_sets
from tests.support.emulators import DEFINITION_ID, GROUP, Azure, Clock


def _get(arm: Azure, name: str = "1.0.0", **options: Any) -> Any:  # noqa: ANN401
    versions: Any = arm.compute.gallery_image_versions
    return versions.get(GROUP, "shelf", "demo", name, **options)


def _patch(arm: Azure, name: str = "1.0.0", **change: Any) -> Any:  # noqa: ANN401
    versions = arm.compute.gallery_image_versions
    body: Any = change
    return versions.begin_update(GROUP, "shelf", "demo", name, body).result()


def _replicas(version: Any) -> dict[str, tuple[str, int]]:  # noqa: ANN401 - a model of Azure's
    status = version.properties.replication_status
    return {entry.region: (entry.state, entry.progress) for entry in status.summary}


def test_a_version_is_complete_in_its_home_region(arm: Azure) -> None:
    arm.shelf()

    made = arm.version("2026.1122.0", tags={"key": "value"})

    profile = made.properties.publishing_profile
    assert made.tags == {"key": "value"}
    assert made.properties.provisioning_state == "Succeeded"
    assert [(r.name, r.regional_replica_count) for r in profile.target_regions] == [
        ("westeurope", 1)
    ]
    assert (profile.exclude_from_latest, profile.replication_mode) == (False, "Full")
    assert profile.published_date is not None
    shown = _get(arm, "2026.1122.0", expand="ReplicationStatus")
    assert _replicas(shown) == {"westeurope": ("Completed", 100)}


def test_the_replication_status_is_shown_on_demand_only(arm: Azure) -> None:
    arm.shelf()
    arm.version("1.0.0")

    assert _get(arm).properties.replication_status is None


@pytest.mark.parametrize("name", ["1", "1.0", "1.0.0.0", "01.0.0", "1.0.x", "1.0.2147483648"])
def test_a_version_is_three_numbers(arm: Azure, refused: Refused, name: str) -> None:
    arm.shelf()

    assert refused(arm.version, name) == (
        400,
        "InvalidParameter",
        (
            "The image version name is invalid. The image version name should follow Major(int)."
            "Minor(int).Patch(int) format, for e.g: 1.0.0, 2018.12.1 etc."
        ),
    )


def test_a_version_needs_its_definition(arm: Azure, refused: Refused) -> None:
    arm.gallery()

    status, code, message = refused(arm.version, "1.0.0")

    assert (status, code) == (404, "ParentResourceNotFound")
    assert "Parent resource 'shelf/demo' not found" in message


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (
            [{"name": "northeurope"}],
            (
                "Gallery image version publishing profile regions 'northeurope' must contain the"
                " location of image version 'westeurope'."
            ),
        ),
        (
            [{"name": "westeurope"}, {"name": "West Europe"}],
            "Duplicate regions are not allowed in target publishing regions.",
        ),
        (
            [{"name": "westeurope", "regionalReplicaCount": 101}],
            (
                "The value '101' of parameter 'regionalReplicaCount' is out of range. The value"
                " must be between '1' and '100', inclusive."
            ),
        ),
        (
            [{"name": "westeurope", "storageAccountType": "Paper"}],
            (
                "The value 'Paper' of parameter 'storageAccountType' is invalid. Allowed values"
                " are: Standard_LRS, Standard_ZRS, Premium_LRS, PremiumV2_LRS."
            ),
        ),
    ],
    ids=["home", "duplicate", "replicas", "storage"],
)
def test_target_regions_are_checked(
    arm: Azure, refused: Refused, regions: list[dict[str, Any]], message: str
) -> None:
    arm.shelf()

    answer = refused(arm.version, "1.0.0", targetRegions=regions)

    assert answer == (400, "InvalidParameter", message)


def test_a_version_needs_a_source(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    versions = arm.compute.gallery_image_versions
    body: Any = {"location": "westeurope", "properties": {"storageProfile": {}}}

    answer = refused(versions.begin_create_or_update, GROUP, "shelf", "demo", "1.0.0", body)

    assert answer[:2] == (400, "InvalidParameter")
    assert "One and only one source type" in answer[2]


def test_a_version_can_be_made_from_another_and_holds_the_same_image(
    arm: Azure, refused: Refused
) -> None:
    arm.shelf()
    arm.template()
    arm.run()
    versions = arm.compute.gallery_image_versions
    body: Any = {
        "location": "westeurope",
        "properties": {"storageProfile": {"source": {"id": f"{DEFINITION_ID}/versions/0.0.1"}}},
    }

    made = versions.begin_create_or_update(GROUP, "shelf", "demo", "5.0.0", body).result()
    body["properties"]["storageProfile"]["source"]["id"] = f"{DEFINITION_ID}/versions/9.9.9"
    missing = refused(versions.begin_create_or_update, GROUP, "shelf", "demo", "6.0.0", body)

    assert arm.emulator.image_record(str(made.id)) == {"layers": ["base"]}
    assert missing[:2] == (404, "NotFound")


def test_the_source_of_a_version_never_changes(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    arm.version("1.0.0")
    versions = arm.compute.gallery_image_versions
    other = {"source": {"id": f"{DEFINITION_ID}/versions/0.0.1"}}
    body: Any = {"location": "westeurope", "properties": {"storageProfile": other}}

    answer = refused(versions.begin_create_or_update, GROUP, "shelf", "demo", "1.0.0", body)

    assert answer == (
        409,
        "PropertyChangeNotAllowed",
        (
            "Changing property 'galleryImageVersion.properties.storageProfile.source.id' is not"
            " allowed."
        ),
    )


def test_a_version_is_hidden_and_shown_by_patch(arm: Azure) -> None:
    arm.shelf()
    arm.version("1.0.0", excludeFromLatest=True)

    assert _get(arm).properties.publishing_profile.exclude_from_latest is True
    _patch(arm, properties={"publishingProfile": {"excludeFromLatest": False}})

    profile = _get(arm).properties.publishing_profile
    assert profile.exclude_from_latest is False
    assert [region.name for region in profile.target_regions] == ["westeurope"]


def test_replication_takes_its_time_and_the_version_is_ready_with_its_last_region(
    arm: Azure, clock: Clock
) -> None:
    arm.shelf()
    arm.emulator.pace = Pace(replication=100)
    regions = [{"name": "westeurope"}, {"name": "northeurope"}]
    versions = arm.compute.gallery_image_versions
    body: Any = {
        "location": "westeurope",
        "properties": {
            "storageProfile": {"source": {"id": "/subscriptions/x/y/disks/z"}},
            "publishingProfile": {"targetRegions": regions},
        },
    }
    versions.begin_create_or_update(GROUP, "shelf", "demo", "1.0.0", body, polling=False)

    clock.turn(seconds=25)
    under_way = _get(arm, expand="ReplicationStatus")
    clock.turn(seconds=75)
    done = _get(arm, expand="ReplicationStatus")

    assert under_way.properties.provisioning_state == "Creating"
    assert under_way.properties.replication_status.aggregated_state == "InProgress"
    assert set(_replicas(under_way).values()) == {("Replicating", 25)}
    assert done.properties.provisioning_state == "Succeeded"
    assert set(_replicas(done).values()) == {("Completed", 100)}


def test_a_region_that_is_added_replicates_alone(arm: Azure, clock: Clock) -> None:
    arm.shelf()
    arm.version("1.0.0")
    arm.emulator.pace = Pace(replication=10)
    body: Any = {
        "properties": {
            "publishingProfile": {"targetRegions": [{"name": "westeurope"}, {"name": "uksouth"}]}
        }
    }
    versions = arm.compute.gallery_image_versions

    versions.begin_update(GROUP, "shelf", "demo", "1.0.0", body, polling=False)
    clock.turn(seconds=5)

    assert _replicas(_get(arm, expand="ReplicationStatus")) == {
        "westeurope": ("Completed", 100),
        "uksouth": ("Replicating", 50),
    }


def test_one_region_that_fails_fails_the_version(arm: Azure) -> None:
    arm.shelf()
    arm.emulator.pace = Pace(failing_regions=frozenset({"uksouth"}))

    made = arm.version("1.0.0", targetRegions=[{"name": "westeurope"}, {"name": "uksouth"}])

    shown = _get(arm, expand="ReplicationStatus")
    assert made.properties.provisioning_state == "Failed"
    assert shown.properties.replication_status.aggregated_state == "Failed"
    assert _replicas(shown)["uksouth"] == ("Failed", 0)
    assert _replicas(shown)["westeurope"] == ("Completed", 100)


def test_a_version_is_protected_until_its_end_of_life(
    arm: Azure, refused: Refused, clock: Clock
) -> None:
    arm.shelf()
    arm.version("1.0.0", endOfLifeDate="2027-01-01T00:00:00Z")
    _patch(arm, properties={"safetyProfile": {"blockDeletionBeforeEndOfLife": True}})
    delete = arm.compute.gallery_image_versions.begin_delete

    answer = refused(delete, GROUP, "shelf", "demo", "1.0.0")
    clock.turn(days=60)
    delete(GROUP, "shelf", "demo", "1.0.0").result()

    assert answer == (
        409,
        "DeleteGalleryImageVersionBlockedBeforeEndOfLife",
        (
            "Deletion of Gallery image version is not allowed because the image is enabled for"
            " blockDeletionBeforeEndOfLife and its endOfLifeDate has not reached yet."
        ),
    )
    assert refused(_get, arm)[0] == 404


def test_regions_stay_when_the_safety_profile_says_so(arm: Azure, refused: Refused) -> None:
    arm.shelf()
    arm.version("1.0.0", targetRegions=[{"name": "westeurope"}, {"name": "uksouth"}])
    _patch(arm, properties={"safetyProfile": {"allowDeletionOfReplicatedLocations": False}})
    fewer = {"publishingProfile": {"targetRegions": [{"name": "westeurope"}]}}

    answer = refused(_patch, arm, properties=fewer)

    assert answer[:2] == (409, "OperationNotAllowed")


def test_versions_are_listed(arm: Azure) -> None:
    arm.shelf()
    for name in ("1.0.0", "1.0.1"):
        arm.version(name)

    listed = arm.compute.gallery_image_versions.list_by_gallery_image(GROUP, "shelf", "demo")

    assert [version.name for version in listed] == ["1.0.0", "1.0.1"]


def test_the_image_record_goes_with_its_version(arm: Azure) -> None:
    arm.shelf()
    arm.template()
    arm.run()
    made = f"{DEFINITION_ID}/versions/0.0.1"
    assert arm.emulator.records() == ({"layers": ["base"]},)

    arm.compute.gallery_image_versions.begin_delete(GROUP, "shelf", "demo", "0.0.1").result()

    assert arm.emulator.image_record(made) is None
    assert arm.emulator.records() == ()


def test_a_deletion_takes_its_time(arm: Azure, clock: Clock, refused: Refused) -> None:
    arm.shelf()
    arm.version("1.0.0")
    arm.emulator.pace = Pace(operation=30)
    versions = arm.compute.gallery_image_versions
    versions.begin_delete(GROUP, "shelf", "demo", "1.0.0", polling=False)

    leaving = _get(arm)
    clock.turn(seconds=30)

    assert leaving.properties.provisioning_state == "Deleting"
    assert refused(_get, arm)[:2] == (404, "ResourceNotFound")


def test_a_version_changes_once_at_a_time(
    arm: Azure, refused: Refused, emulator: Emulator, clock: Clock
) -> None:
    arm.shelf()
    arm.version("1.0.0")
    emulator.pace = Pace(replication=600)
    regions = [{"name": "westeurope"}, {"name": "eastus"}]
    change: Any = {"properties": {"publishingProfile": {"targetRegions": regions}}}
    versions = arm.compute.gallery_image_versions
    versions.begin_update(GROUP, "shelf", "demo", "1.0.0", change, polling=False)

    status, code, message = refused(_patch, arm, tags={"too": "soon"})

    assert (status, code) == (409, "Conflict")
    assert "concurrent request" in message
    clock.turn(seconds=601)
    emulator.pace = Pace()
    _patch(arm, tags={"in": "time"})
    assert _get(arm).tags == {"in": "time"}


def test_a_version_in_use_can_be_deleted_and_is_missed_later(arm: Azure) -> None:
    arm.shelf()
    arm.version("1.0.0")
    scale_sets.create(arm)

    arm.compute.gallery_image_versions.begin_delete(GROUP, "shelf", "demo", "1.0.0").result()

    assert scale_sets.versions(arm) == ["1.0.0"] * 2
    with pytest.raises(HttpResponseError) as caught:
        scale_sets.update(arm, {"sku": {"capacity": 3}})
    error: Any = caught.value.error
    assert error.code == "GalleryImageNotFound"
