"""Scale sets as tests want them, made through the real client."""

from __future__ import annotations

from typing import Any

from tests.support.emulators import DEFINITION_ID, GROUP, GROUP_ID, Azure

SUBNET = f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks/net/subnets/machines"


def a_scale_set(
    *,
    image: str = f"{DEFINITION_ID}/versions/1.0.0",
    capacity: int = 2,
    place: str = "westeurope",
    mode: str = "Manual",
    policy: dict[str, Any] | None = None,
    **profile: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """The body of a scale set whose instances are made from *image*."""
    upgrade: dict[str, Any] = {"mode": mode}
    if policy:
        upgrade["rollingUpgradePolicy"] = policy
    return {
        "location": place,
        "tags": {"for": "a test"},
        "sku": {"name": "Standard_D2s_v5", "capacity": capacity},
        "properties": {
            "upgradePolicy": upgrade,
            "virtualMachineProfile": {
                "storageProfile": {"imageReference": {"id": image}},
                "osProfile": {"computerNamePrefix": "web", "adminUsername": "azureuser"},
                "networkProfile": {"networkInterfaceConfigurations": [{"name": "nic"}]},
            }
            | profile,
        },
    }


def image(version: str | None) -> dict[str, Any]:
    """The body of a PATCH that gives a scale set another image; None for the latest one."""
    named = f"{DEFINITION_ID}/versions/{version}" if version else DEFINITION_ID
    storage = {"imageReference": {"id": named}}
    return {"properties": {"virtualMachineProfile": {"storageProfile": storage}}}


def create(arm: Azure, name: str = "web", **changes: Any) -> Any:  # noqa: ANN401 - a model
    """Create a scale set and wait until it is there."""
    body: Any = a_scale_set(**changes)
    sets = arm.compute.virtual_machine_scale_sets
    return sets.begin_create_or_update(GROUP, name, body).result()


def update(arm: Azure, body: Any, name: str = "web", **options: Any) -> Any:  # noqa: ANN401
    """Patch a scale set and wait until that is done."""
    return arm.compute.virtual_machine_scale_sets.begin_update(
        GROUP, name, body, **options
    ).result()


def versions(arm: Azure, name: str = "web") -> list[str]:
    """The exact version that each instance runs."""
    found = arm.compute.virtual_machine_scale_set_vms.list(GROUP, name)
    return [one.storage_profile.image_reference.exact_version for one in found]


def states(arm: Azure, name: str = "web") -> list[str]:
    """The provisioning state of each instance."""
    found = arm.compute.virtual_machine_scale_set_vms.list(GROUP, name)
    return [one.provisioning_state for one in found]
