"""The instances of scale sets: found, counted and shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from imagebake.emulator.calls import Call
from imagebake.emulator.listing import present
from imagebake.emulator.machines.host import EXTENSION
from imagebake.emulator.machines.models import find_image_version
from imagebake.emulator.machines.scale_set_models import INSTANCE
from imagebake.emulator.machines.views import instance_view
from imagebake.emulator.store import Resource, Session


def instances_of(session: Session, scale_set: Resource) -> list[Resource]:
    """The instances of *scale_set*, by number."""
    found = session.list(INSTANCE, f"{scale_set.key}/virtualmachines/")
    return sorted(found, key=number_of)


def number_of(instance: Resource) -> int:
    """The number that the scale set knows *instance* by."""
    return int(instance.body["instanceId"])


def image_of(session: Session, scale_set: Resource, time: float) -> Resource:
    """The gallery version that the model stands for at *time*; an `ArmError` when for none."""
    profile = scale_set.properties["virtualMachineProfile"]
    reference = profile["storageProfile"]["imageReference"]
    return find_image_version(reference, scale_set.body["location"], session, time)


def has_latest_model(instance: Resource, scale_set: Resource) -> bool:
    """Whether *instance* has the model that its scale set has."""
    return bool(instance.private["model"] == scale_set.private["model"])


def shown(instance: Resource, scale_set: Resource, call: Call) -> dict[str, Any]:
    """The instance as a client sees it, with its view where it asked for that."""
    state = instance.provisioning_state(call.time)
    body = dict(instance.body)
    properties = instance.properties | {
        "provisioningState": state,
        "latestModelApplied": has_latest_model(instance, scale_set),
    }
    extensions = extensions_on(instance, call.session)
    if extensions:
        body["resources"] = [present(one, call) for one in extensions]
    if call.query.get("$expand", "").lower() == "instanceview":
        properties["instanceView"] = view(instance, extensions, call.time)
    return body | {"properties": properties}


def extensions_on(instance: Resource, session: Session) -> list[Resource]:
    """The extensions of an instance that runs."""
    if "owner" not in instance.private:
        return []
    return session.list(EXTENSION, f"{instance.key}/extensions/")


def view(instance: Resource, extensions: list[Resource], time: float) -> dict[str, Any]:
    """What is known of an instance: what its agent says, or that it is there."""
    state = instance.provisioning_state(time)
    well = "healthy" if state == "Succeeded" else "unhealthy"
    health = {"vmHealth": {"status": _status(f"HealthState/{well}", well.capitalize(), "Info")}}
    if "owner" in instance.private:
        return instance_view(instance, extensions, time) | health
    level = "Error" if state == "Failed" else "Info"
    return health | {
        "computerName": instance.properties["osProfile"]["computerName"],
        "statuses": [
            _status(f"ProvisioningState/{state.lower()}", f"Provisioning {state.lower()}", level),
            _status("PowerState/running", "VM running", "Info"),
        ],
    }


def states(instances: Iterable[Resource], time: float) -> list[dict[str, Any]]:
    """How many instances are in which state."""
    counts: dict[str, int] = {}
    for instance in instances:
        code = f"ProvisioningState/{instance.provisioning_state(time).lower()}"
        counts[code] = counts.get(code, 0) + 1
    return [{"code": code, "count": counts[code]} for code in sorted(counts)]


def _status(code: str, text: str, level: str) -> dict[str, str]:
    return {"code": code, "level": level, "displayStatus": text}
