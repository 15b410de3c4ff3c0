"""Scale set models: validation, PATCH merging, and the instances made from them."""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from imagebake.emulator.calls import Call
from imagebake.emulator.errors import ArmError, change_not_allowed, invalid_parameter
from imagebake.emulator.machines.host import EXTENSION
from imagebake.emulator.machines.instance_views import instance_view
from imagebake.emulator.machines.vm_models import find_image_version
from imagebake.emulator.resources import present
from imagebake.emulator.store import Resource, Session

SCALE_SET = "Microsoft.Compute/virtualMachineScaleSets"
INSTANCE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
MODES = ("Manual", "Automatic", "Rolling")

_MOST_INSTANCES, _MOST_PERCENT = 1000, 100
# Documented defaults of rollingUpgradePolicy.
_POLICY = {
    "maxBatchInstancePercent": 20,
    "maxUnhealthyInstancePercent": 20,
    "maxUnhealthyUpgradedInstancePercent": 20,
    "pauseTimeBetweenBatches": "PT0S",
}
_DURATION = re.compile(r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Json = dict[str, Any]


def merge_patch(known: Mapping[str, Any], given: Mapping[str, Any]) -> Json:
    """Merge a PATCH body into *known*: objects merge recursively, other values replace."""
    result = dict(known)
    for key, value in given.items():
        old = result.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            result[key] = merge_patch(old, value)
        else:
            # Documented merge semantics; that lists such as extensions are replaced is assumed.
            result[key] = copy.deepcopy(value)
    return result


def set_properties(given: Mapping[str, Any], known: Resource | None) -> Json:
    """Return a scale set's complete properties; raises `ArmError` where Compute refuses them."""
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
    unique_id = known.properties["uniqueId"] if known else str(uuid.uuid4())
    return dict(given) | {
        "orchestrationMode": "Uniform",
        "upgradePolicy": _upgrade_policy(given["upgradePolicy"]),
        "overprovision": bool(given.get("overprovision")),
        "uniqueId": unique_id,
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
    """Return the policy's `pauseTimeBetweenBatches`, an ISO 8601 duration, in seconds."""
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
    """Return the validated `sku`: the VM size and the capacity."""
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
    """Split *properties* into the public ones and the write-only ones.

    The write-only ones are custom data and the extensions' protected settings.
    """
    public = copy.deepcopy(dict(properties))
    profile = public["virtualMachineProfile"]
    custom_data = profile["osProfile"].pop("customData", None)
    profile["osProfile"].pop("adminPassword", None)
    protected = {
        extension["name"]: extension.get("properties", {}).pop("protectedSettings", None)
        for extension in extensions_of(public)
    }
    return public, {"custom_data": custom_data, "protected": protected}


def extensions_of(properties: Mapping[str, Any]) -> list[Json]:
    """Return the extensions in a scale set's model."""
    profile = properties["virtualMachineProfile"].get("extensionProfile") or {}
    return list(profile.get("extensions") or [])


def refuse_immutable_changes(known: Resource | None, given: Mapping[str, Any]) -> None:
    """Refuse to change an immutable property: 409 `PropertyChangeNotAllowed`."""
    if not known or not (profile := given.get("virtualMachineProfile")):
        return
    requested = (profile.get("osProfile") or {}).get("computerNamePrefix")
    current = known.properties["virtualMachineProfile"]["osProfile"]["computerNamePrefix"]
    if requested and requested != current:
        raise change_not_allowed("osProfile.computerNamePrefix")


def instance_body(scale_set: Resource, number: int) -> Json:
    """Return the body of a new instance, before the model is applied."""
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
            # Azure's computer names end in the instance id, six digits in base 36.
            "osProfile": {"computerName": f"{prefix}{_base36(number):0>6}"},
        },
    }


def apply_model(instance: Resource, scale_set: Resource, version: str) -> None:
    """Apply the scale set's model to *instance*, with that *version* of the image."""
    profile = scale_set.properties["virtualMachineProfile"]
    reference = profile["storageProfile"]["imageReference"]
    properties = instance.properties
    properties["storageProfile"] = profile["storageProfile"] | {
        "imageReference": dict(reference) | {"exactVersion": version}
    }
    properties["osProfile"] = (
        properties["osProfile"]
        | {key: value for key, value in profile["osProfile"].items() if key != "computerNamePrefix"}
        # The computer name outlives every change of the model.
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


def instances_of(session: Session, scale_set: Resource) -> list[Resource]:
    """Return the instances of *scale_set*, ordered by instance id."""
    found = session.list(INSTANCE, f"{scale_set.key}/virtualmachines/")
    return sorted(found, key=number_of)


def number_of(instance: Resource) -> int:
    """Return the instance id of *instance* as a number."""
    return int(instance.body["instanceId"])


def image_of(session: Session, scale_set: Resource, time: float) -> Resource:
    """Resolve the model's image reference at *time*; raises 404 `GalleryImageNotFound`."""
    profile = scale_set.properties["virtualMachineProfile"]
    reference = profile["storageProfile"]["imageReference"]
    return find_image_version(reference, scale_set.body["location"], session, time)


def has_latest_model(instance: Resource, scale_set: Resource) -> bool:
    """Return `latestModelApplied`: whether *instance* has its scale set's current model."""
    return bool(instance.private["model"] == scale_set.private["model"])


def instance_shown(instance: Resource, scale_set: Resource, call: Call) -> dict[str, Any]:
    """Render the instance, with `$expand=instanceView` its instance view."""
    state = instance.provisioning_state(call.time)
    body = dict(instance.body)
    properties = instance.properties | {
        "provisioningState": state,
        "latestModelApplied": has_latest_model(instance, scale_set),
    }
    extensions = extensions_on(instance, call.session)
    if extensions:
        body["resources"] = [present(extension, call) for extension in extensions]
    if call.query.get("$expand", "").lower() == "instanceview":
        properties["instanceView"] = instance_status_view(instance, extensions, call.time)
    return body | {"properties": properties}


def extensions_on(instance: Resource, session: Session) -> list[Resource]:
    """Return the extensions of an instance that boots; inventory has none."""
    if "owner" not in instance.private:
        return []
    return session.list(EXTENSION, f"{instance.key}/extensions/")


def instance_status_view(
    instance: Resource, extensions: list[Resource], time: float
) -> dict[str, Any]:
    """Return the instance view: the agent's report, or for inventory the bare states."""
    state = instance.provisioning_state(time)
    # Assumed: health follows the provisioning state; there are no health probes.
    health_state = "healthy" if state == "Succeeded" else "unhealthy"
    health = {
        "vmHealth": {
            "status": _instance_status(
                f"HealthState/{health_state}", health_state.capitalize(), "Info"
            )
        }
    }
    if "owner" in instance.private:
        return instance_view(instance, extensions, time) | health
    level = "Error" if state == "Failed" else "Info"
    return health | {
        "computerName": instance.properties["osProfile"]["computerName"],
        "statuses": [
            _instance_status(
                f"ProvisioningState/{state.lower()}", f"Provisioning {state.lower()}", level
            ),
            _instance_status("PowerState/running", "VM running", "Info"),
        ],
    }


def state_counts(instances: Iterable[Resource], time: float) -> list[dict[str, Any]]:
    """Return the number of instances per provisioning state."""
    counts: dict[str, int] = {}
    for instance in instances:
        code = f"ProvisioningState/{instance.provisioning_state(time).lower()}"
        counts[code] = counts.get(code, 0) + 1
    return [{"code": code, "count": counts[code]} for code in sorted(counts)]


def _instance_status(code: str, text: str, level: str) -> dict[str, str]:
    return {"code": code, "level": level, "displayStatus": text}
