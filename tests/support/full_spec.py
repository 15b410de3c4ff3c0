"""A spec that says everything that an image template can."""

from __future__ import annotations

from typing import Any

from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_spec

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/imagebake/providers"
DIGEST = "ab" * 32
_NETWORK = f"{GROUP}/Microsoft.Network/virtualNetworks/build/subnets"
_GALLERY = f"{GROUP}/Microsoft.Compute/galleries"
FETCHED = {"file": "https://files.example/setup", "sha256": DIGEST}

EVERYTHING: dict[str, Any] = {
    "customizers": (
        {"name": "tune", "inline": ("sudo sysctl --system",)},
        {"name": "fetched", "script": FETCHED, "reason": "it is not ours"},
        {"name": "put", "upload": FETCHED | {"destination": "/tmp/setup.conf"}},  # noqa: S108
    ),
    "validators": (
        {"name": "look", "inline": ("test -e /etc/hostname",)},
        {"name": "fetched-check", "script": FETCHED},
        {"name": "put-check", "upload": FETCHED | {"destination": "/tmp/check.conf"}},  # noqa: S108
    ),
    "validation": {"continue_distribute_on_failure": True},
    "distribute": (
        {
            "name": "abroad",
            "gallery": f"{_GALLERY}/abroad/images/demo",
            "regions": ({"name": "westeurope", "replicas": 3, "storage": "Standard_ZRS"},),
            "versioning": {"scheme": "latest", "major": 2},
            "replication": "Shallow",
            "hidden": False,
            "tags": {"for": "abroad"},
        },
        {
            "name": "numbered",
            "gallery": f"{_GALLERY}/abroad/images/numbered/versions/1.2.3",
            "regions": ({"name": "westeurope"},),
        },
        {
            "name": "sourced",
            "gallery": f"{_GALLERY}/abroad/images/sourced",
            "regions": ({"name": "westeurope"},),
            "versioning": {"scheme": "source"},
        },
        {
            "name": "managed",
            "managed_image": f"{GROUP}/Microsoft.Compute/images/demo",
            "location": "westeurope",
        },
        {"name": "disk", "vhd": {"address": "https://store.example/vhds/demo.vhd"}},
        {"name": "loose-disk", "vhd": {}},
    ),
    "build": {
        "optimize_boot": True,
        "optimize_workload": FETCHED,
        "on_customizer_error": "abort",
        "on_validation_error": "abort",
        "identities": (f"{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/reader",),
        "subnet": f"{_NETWORK}/machines",
        "container_subnet": f"{_NETWORK}/containers",
        "staging_resource_group": GROUP.replace("/providers", "-staging"),
        "managed_tags": {"cost-centre": "42"},
        "data_disks": (64, 128),
    },
    "trigger": {"definition": f"{_GALLERY}/imagebake/images/demo-candidates"},
}
"""What a Linux spec can say, by key; PowerShell and its like are in `WINDOWS`."""

WINDOWS: dict[str, Any] = {
    "source": {
        "publisher": "MicrosoftWindowsServer",
        "offer": "WindowsServer",
        "sku": "2022-datacenter-g2",
        "version": "20348.2700.240905",
        "plan": {"name": "a-plan", "product": "a-product", "publisher": "a-publisher"},
    },
    "local": None,
    "customizers": (
        {
            "name": "set",
            "inline": ("Write-Output 'it''s set'",),
            "elevated": True,
            "as_system": True,
            "exit_codes": (0, 3010),
        },
        {"name": "fetched", "script": FETCHED, "elevated": True},
        {"name": "put", "upload": FETCHED | {"destination": "C:\\imagebake\\setup.conf"}},
        {
            "name": "restart",
            "restart": {"command": "shutdown /r /t 0", "check": "hostname", "timeout": "30m"},
        },
        {
            "name": "update",
            "update": {"search": "IsInstalled=0", "filters": ("include:$true",), "limit": 20},
        },
        {"name": "restart-again", "restart": {}},
    ),
    "validators": ({"name": "look", "inline": ("exit 0",), "exit_codes": (0,)},),
}


def everything(**changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    """A Linux spec that says all of `EVERYTHING`."""
    return a_spec(**(EVERYTHING | changes))
