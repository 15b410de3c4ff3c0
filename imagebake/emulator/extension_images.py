"""What an extension's publisher says of its versions, and in which regions each is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagebake.emulator.calls import Call
from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import region

CATEGORIES = ("Other", "BugFix", "SecurityFix", "CompatibilityUpdate", "NewFeature")
URGENCIES = ("Regular", "Expedited", "Emergency")
REGIONS = "regions"
"""Where a version is, among its properties; everywhere when absent. It never goes out."""

_DEFAULTS = {
    "operatingSystem": "Linux",
    "computeRole": "IaaS",
    "handlerSchema": "",
    "vmScaleSetEnabled": True,
    "supportsMultipleExtensions": False,
    "releaseCategory": "Other",
    "urgencyLevel": "Regular",
}


def offered_in(
    location: str, versions: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """The versions that *location* has: they arrive in one region after the other."""
    named = region(location)
    return {
        version: properties
        for version, properties in versions.items()
        if REGIONS not in properties or named in map(region, properties[REGIONS])
    }


def shown(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties as they go out."""
    return {name: value for name, value in properties.items() if name != REGIONS}


def extension_shown(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of an extension's version, with what every one has."""
    return _DEFAULTS | shown(properties)


def wants_properties(call: Call) -> bool:
    """Whether a list is asked for with the properties of each; refuses to expand anything else."""
    expand = call.query.get("$expand", "")
    if expand and expand.lower() != "properties":
        raise ArmError(400, "InvalidParameter", f"The value '{expand}' of $expand is not valid.")
    return bool(expand)
