"""What a scale set's body must say, how a PATCH changes it, and what an instance gets of it."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Mapping
from typing import Any

from imagebake.emulator.errors import ArmError, change_not_allowed, invalid_parameter
from imagebake.emulator.store import Resource

SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"
INSTANCE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
MODES = ("Manual", "Automatic", "Rolling")

_MOST_INSTANCES, _MOST_PERCENT = 1000, 100
_POLICY = {
    "maxBatchInstancePercent": 20,
    "maxUnhealthyInstancePercent": 20,
    "maxUnhealthyUpgradedInstancePercent": 20,
    "pauseTimeBetweenBatches": "PT0S",
}
_DURATION = re.compile(r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Json = dict[str, Any]


def merged(known: Mapping[str, Any], given: Mapping[str, Any]) -> Json:
    """*known* as a PATCH with *given* leaves it: objects merge, everything else replaces."""
    result = dict(known)
    for key, value in given.items():
        old = result.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            result[key] = merged(old, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def set_properties(given: Mapping[str, Any], known: Resource | None) -> Json:
    """The properties of a scale set, complete; raises `ArmError` for what Compute refuses."""
    if given.get("orchestrationMode", "Uniform") != "Uniform":
        raise invalid_parameter(
            "The emulator knows scale sets of which orchestrationMode is 'Uniform' only."
        )
    profile = given.get("virtualMachineProfile")
    if not profile:
        raise _missing("virtualMachineProfile")
    for name in ("storageProfile", "osProfile", "networkProfile"):
        if not profile.get(name):
            raise _missing(f"virtualMachineProfile.{name}")
    if not profile["storageProfile"].get("imageReference"):
        raise _missing("imageReference")
    for name in ("computerNamePrefix", "adminUsername"):
        if not profile["osProfile"].get(name):
            raise _missing(f"osProfile.{name}")
    if not given.get("upgradePolicy"):
        raise _missing("upgradePolicy")
    same = known.properties["uniqueId"] if known else str(uuid.uuid4())
    return dict(given) | {
        "orchestrationMode": "Uniform",
        "upgradePolicy": _upgrade_policy(given["upgradePolicy"]),
        "overprovision": bool(given.get("overprovision")),
        "uniqueId": same,
    }


def _upgrade_policy(given: Mapping[str, Any]) -> Json:
    mode = given.get("mode") or "Manual"
    if mode not in MODES:
        raise invalid_parameter(
            f"The value '{mode}' of parameter 'upgradePolicy.mode' is invalid. Allowed values"
            f" are: {', '.join(MODES)}."
        )
    policy = _POLICY | (given.get("rollingUpgradePolicy") or {})
    for name, least in (
        ("maxBatchInstancePercent", 5),
        ("maxUnhealthyInstancePercent", 5),
        ("maxUnhealthyUpgradedInstancePercent", 0),
    ):
        value = policy[name]
        if not isinstance(value, int) or not least <= value <= _MOST_PERCENT:
            raise invalid_parameter(
                f"The value '{value}' of parameter 'rollingUpgradePolicy.{name}' is out of range."
                f" The value must be between '{least}' and '{_MOST_PERCENT}', inclusive."
            )
    pause_seconds(policy)
    return dict(given) | {"mode": mode, "rollingUpgradePolicy": policy}


def pause_seconds(policy: Mapping[str, Any]) -> float:
    """The policy's pause between batches in seconds."""
    text = policy["pauseTimeBetweenBatches"]
    match = _DURATION.fullmatch(str(text))
    if not match:
        raise invalid_parameter(
            f"The value '{text}' of parameter 'rollingUpgradePolicy.pauseTimeBetweenBatches' is"
            " invalid: it is a time such as PT30S or PT5M."
        )
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def sku(given: Mapping[str, Any] | None) -> Json:
    """The size and the number of the instances."""
    if not given or not given.get("name"):
        raise _missing("sku.name")
    capacity = given.get("capacity")
    if not isinstance(capacity, int) or not 0 <= capacity <= _MOST_INSTANCES:
        raise invalid_parameter(
            f"The value '{capacity}' of parameter 'sku.capacity' is out of range. The value must"
            f" be between '0' and '{_MOST_INSTANCES}', inclusive."
        )
    return {"tier": "Standard"} | dict(given)


def without_secrets(properties: Mapping[str, Any]) -> tuple[Json, Json]:
    """*properties* as they may be shown, and what may not be: custom data, protected settings."""
    shown = copy.deepcopy(dict(properties))
    profile = shown["virtualMachineProfile"]
    custom = profile["osProfile"].pop("customData", None)
    profile["osProfile"].pop("adminPassword", None)
    hidden = {
        one["name"]: one.get("properties", {}).pop("protectedSettings", None)
        for one in extensions_of(shown)
    }
    return shown, {"custom_data": custom, "protected": hidden}


def extensions_of(properties: Mapping[str, Any]) -> list[Json]:
    """The extensions in a scale set's model."""
    profile = properties["virtualMachineProfile"].get("extensionProfile") or {}
    return list(profile.get("extensions") or [])


def same_kind(known: Resource | None, given: Mapping[str, Any]) -> None:
    """Refuse what of a scale set never changes."""
    if not known or not (profile := given.get("virtualMachineProfile")):
        return
    told = (profile.get("osProfile") or {}).get("computerNamePrefix")
    have = known.properties["virtualMachineProfile"]["osProfile"]["computerNamePrefix"]
    if told and told != have:
        raise change_not_allowed("osProfile.computerNamePrefix")


def instance_body(scale_set: Resource, number: int) -> Json:
    """The body of a new instance, its model not yet applied."""
    prefix = scale_set.properties["virtualMachineProfile"]["osProfile"]["computerNamePrefix"]
    return {
        "name": f"{scale_set.name}_{number}",
        "id": f"{scale_set.id}/virtualMachines/{number}",
        "type": INSTANCE,
        "location": scale_set.body["location"],
        "instanceId": str(number),
        "properties": {
            "modelDefinitionApplied": "VirtualMachineScaleSet",
            "vmId": str(uuid.uuid4()),
            "osProfile": {"computerName": f"{prefix}{_base36(number):0>6}"},
        },
    }


def apply_model(instance: Resource, scale_set: Resource, version: str) -> None:
    """Give *instance* the model of its scale set, with that *version* of the image."""
    profile = scale_set.properties["virtualMachineProfile"]
    reference = profile["storageProfile"]["imageReference"]
    properties = instance.properties
    properties["storageProfile"] = profile["storageProfile"] | {
        "imageReference": dict(reference) | {"exactVersion": version}
    }
    properties["osProfile"] = (
        properties["osProfile"]
        | {key: value for key, value in profile["osProfile"].items() if key != "computerNamePrefix"}
        | {"computerName": properties["osProfile"]["computerName"]}
    )
    properties["hardwareProfile"] = {"vmSize": scale_set.body["sku"]["name"]}
    properties["networkProfileConfiguration"] = profile["networkProfile"]
    instance.body["sku"] = {key: scale_set.body["sku"][key] for key in ("name", "tier")}
    instance.body["tags"] = dict(scale_set.body["tags"])
    instance.private["model"] = scale_set.private["model"]


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text


def _missing(name: str) -> ArmError:
    return invalid_parameter(f"Required parameter '{name}' is missing (null).")
