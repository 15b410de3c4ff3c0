"""The instances of scale sets: made, made anew, taken away and shown."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imagebake.emulator.calls import Call, Pace
from imagebake.emulator.machine_models import find_image_version
from imagebake.emulator.scale_set_models import INSTANCE, apply_model, instance_body
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


@dataclass(frozen=True, slots=True)
class Crew:
    """Makes instances and takes them away, at *time* and at that *pace*."""

    session: Session
    pace: Pace
    time: float

    def scale(self, scale_set: Resource) -> None:
        """Have as many instances as the scale set's capacity; the youngest go first."""
        have = instances_of(self.session, scale_set)
        wanted = scale_set.body["sku"]["capacity"]
        for instance in have[wanted:]:
            self.remove(instance)
        if wanted <= len(have):
            return
        image = image_of(self.session, scale_set, self.time)
        for _ in range(wanted - len(have)):
            number = scale_set.private["next_instance"]
            scale_set.private["next_instance"] = number + 1
            instance = Resource(INSTANCE, instance_body(scale_set, number))
            instance.settling = "Creating"
            self.renew(instance, scale_set, image)

    def renew(self, instance: Resource, scale_set: Resource, image: Resource) -> None:
        """Give *instance* the model with the version *image*, on a disk that begins anew."""
        apply_model(instance, scale_set, image.name)
        self.restart(instance, image)

    def restart(self, instance: Resource, image: Resource) -> None:
        """Let *instance* begin anew from *image*, its model as it is."""
        instance.private["image"] = image.id
        instance.settles = self.time + self.pace.instance
        instance.state = "Failed" if self._fails(instance, image.name) else "Succeeded"
        self.session.put(instance)

    def remove(self, instance: Resource) -> None:
        """Take *instance* away."""
        self.session.remove(instance.id)

    def _fails(self, instance: Resource, version: str) -> bool:
        names = (instance.name, f"{instance.name}@{version}")
        patterns = self.pace.failing_instances
        return any(fnmatch.fnmatchcase(name, one) for name in names for one in patterns)


def crew_of(call: Call) -> Crew:
    """Who does what a request wants."""
    return Crew(call.session, call.pace, call.time)


def has_latest_model(instance: Resource, scale_set: Resource) -> bool:
    """Whether *instance* has the model that its scale set has."""
    return bool(instance.private["model"] == scale_set.private["model"])


def shown(instance: Resource, scale_set: Resource, call: Call) -> dict[str, Any]:
    """The instance as a client sees it, with its view where it asked for that."""
    state = instance.provisioning_state(call.time)
    properties = instance.properties | {
        "provisioningState": state,
        "latestModelApplied": has_latest_model(instance, scale_set),
    }
    if call.query.get("$expand", "").lower() == "instanceview":
        properties["instanceView"] = instance_view(instance, call.time)
    return instance.body | {"properties": properties}


def instance_view(instance: Resource, time: float) -> dict[str, Any]:
    """What is known of an instance on which nothing runs: its state, and its health."""
    state = instance.provisioning_state(time)
    well = "healthy" if state == "Succeeded" else "unhealthy"
    level = "Error" if state == "Failed" else "Info"
    return {
        "computerName": instance.properties["osProfile"]["computerName"],
        "vmHealth": {"status": _status(f"HealthState/{well}", well.capitalize(), "Info")},
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
