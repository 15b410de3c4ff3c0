"""Image templates and the hands to bake them with, for tests against the emulator."""

from __future__ import annotations

from typing import Any

IDENTITY = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/imagebake/providers"
    "/Microsoft.ManagedIdentity/userAssignedIdentities/imagebake"
)


def a_template(version_id: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A small image template that makes *version_id*, hidden, in one region."""
    return {
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
        "tags": {"image": "demo"},
        "properties": {
            "source": {
                "type": "PlatformImage",
                "publisher": "Debian",
                "offer": "debian-12",
                "sku": "12-gen2",
                "version": "0.20260914.2237",
            },
            "customize": [{"type": "Shell", "name": "greet", "inline": ["echo hello"]}],
            "validate": {
                "inVMValidations": [{"type": "Shell", "name": "check", "inline": ["true"]}],
                "continueDistributeOnFailure": False,
            },
            "distribute": [
                {
                    "type": "SharedImage",
                    "runOutputName": "version",
                    "galleryImageId": version_id,
                    "excludeFromLatest": True,
                    "artifactTags": {"imagebake-bake-key": "key"},
                    "targetRegions": [
                        {
                            "name": "westeurope",
                            "replicaCount": 1,
                            "storageAccountType": "Standard_LRS",
                        }
                    ],
                }
            ],
            "vmProfile": {"vmSize": "Standard_D2ds_v5", "osDiskSizeGB": 30},
            "buildTimeoutInMinutes": 60,
        }
        | properties,
    }
