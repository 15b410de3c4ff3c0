"""Bulk-loaded resources equal resources created by requests."""

from __future__ import annotations

from typing import Any

import pytest

from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import UsageError
from tests.support import scale_sets
from tests.support.emulators import DEFINITION_ID, GROUP, GROUP_ID, Azure, a_definition

GALLERY_ID = DEFINITION_ID.partition("/images/")[0]
PROVIDER = f"{GROUP_ID}/providers/Microsoft.Compute"


def a_version(number: str, **publishing: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "id": f"{DEFINITION_ID}/versions/{number}",
        "tags": {"number": number},
        "properties": {"publishingProfile": publishing},
    }


@pytest.fixture(autouse=True)
def world(emulator: Emulator) -> None:
    sets = scale_sets.a_scale_set(capacity=3, image=f"{DEFINITION_ID}/versions/1.0.0")
    machine: dict[str, Any] = {
        "storageProfile": {"imageReference": {"id": DEFINITION_ID, "exactVersion": "1.0.0"}}
    }
    regions = [{"name": "West Europe"}, {"name": "eastus", "regionalReplicaCount": 3}]
    count = emulator.load(
        [
            {"id": GALLERY_ID},
            {"id": DEFINITION_ID, "properties": a_definition()},
            a_version("1.0.0", targetRegions=regions),
            a_version("1.0.1"),
            sets | {"id": f"{PROVIDER}/virtualMachineScaleSets/web"},
            {"id": f"{PROVIDER}/virtualMachines/first", "properties": machine},
        ]
    )
    assert count == 6 + 3


def test_versions_that_were_loaded_are_complete(arm: Azure) -> None:
    versions: Any = arm.compute.gallery_image_versions
    found = list(versions.list_by_gallery_image(GROUP, "shelf", "demo"))
    version = versions.get(GROUP, "shelf", "demo", "1.0.0", expand="ReplicationStatus")

    assert [version.name for version in found] == ["1.0.0", "1.0.1"]
    assert version.tags == {"number": "1.0.0"}
    assert version.properties.replication_status.aggregated_state == "Completed"
    regions = version.properties.publishing_profile.target_regions
    assert [(region.name, region.regional_replica_count) for region in regions] == [
        ("westeurope", 1),
        ("eastus", 3),
    ]


def test_scale_sets_that_were_loaded_can_be_upgraded(arm: Azure) -> None:
    assert scale_sets.versions(arm) == ["1.0.0"] * 3

    scale_sets.update(arm, scale_sets.image("1.0.1"))
    upgrades = arm.compute.virtual_machine_scale_set_rolling_upgrades
    upgrades.begin_start_os_upgrade(GROUP, "web").result()

    assert scale_sets.versions(arm) == ["1.0.1"] * 3


def test_machines_that_were_loaded_can_be_deleted(arm: Azure) -> None:
    machines = arm.compute.virtual_machines
    (machine,) = machines.list_all()
    reference: Any = machine.storage_profile
    assert reference.image_reference.exact_version == "1.0.0"

    machines.begin_delete(GROUP, "first").result()

    assert list(machines.list_all()) == []


def test_what_has_no_id_cannot_be_loaded(emulator: Emulator) -> None:
    with pytest.raises(UsageError, match="is not the id of a resource"):
        emulator.load([{"name": "nameless"}])
