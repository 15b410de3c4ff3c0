"""What is done to a scale set or its instances: upgraded, made anew, taken away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imagebake.emulator import etags, operations
from imagebake.emulator.calls import Call, Reply, Route, stamp_of
from imagebake.emulator.errors import ArmError, invalid_parameter, resource_not_found
from imagebake.emulator.galleries.soft_deletion import usable
from imagebake.emulator.machines import rolling_upgrades
from imagebake.emulator.machines.rolling_upgrades import KIND
from imagebake.emulator.machines.scale_set_instances import image_of, instances_of
from imagebake.emulator.machines.scale_set_reconciler import crew_of
from imagebake.emulator.machines.scale_set_waits import conclude
from imagebake.emulator.machines.scale_sets import ONE, find_instance, find_scale_set
from imagebake.emulator.machines.supervisor import Lives
from imagebake.emulator.store import Resource


def progress(upgrade: Resource) -> dict[str, int]:
    """How many instances are how far."""
    known = upgrade.private
    return {
        "successfulInstanceCount": known["done"],
        "failedInstanceCount": len(known["failed"]),
        "inProgressInstanceCount": len(known["batch"]),
        "pendingInstanceCount": len(known["pending"]),
    }


def shown(upgrade: Resource, scale_set: Resource) -> dict[str, Any]:
    """The upgrade as `rollingUpgrades/latest` shows it."""
    known = upgrade.private
    action, when = known["action"]
    properties: dict[str, Any] = {
        "policy": known["policy"],
        "runningStatus": {
            "code": upgrade.settling,
            "startTime": stamp_of(known["started"]),
            "lastAction": action,
            "lastActionTime": stamp_of(when),
        },
        "progress": progress(upgrade),
    }
    if "error" in known:
        properties["error"] = known["error"]
    return {
        "id": f"{scale_set.id}/rollingUpgrades/latest",
        "name": "latest",
        "type": KIND,
        "location": scale_set.body["location"],
        "properties": properties,
    }


def history_shown(upgrades: Iterable[Resource], scale_set: Resource) -> list[dict[str, Any]]:
    """Upgrades as `osUpgradeHistory` shows them."""
    return [
        {
            "type": KIND,
            "location": scale_set.body["location"],
            "properties": _historical(upgrade),
        }
        for upgrade in upgrades
    ]


def _historical(upgrade: Resource) -> dict[str, Any]:
    known = upgrade.private
    status = {"code": upgrade.settling, "startTime": stamp_of(known["started"])}
    if "ended" in known:
        status["endTime"] = stamp_of(known["ended"])
    properties = {
        "runningStatus": status,
        "progress": progress(upgrade),
        "startedBy": "User",
        "targetImageReference": {"id": known["image"]},
    }
    return properties | ({"error": known["error"]} if "error" in known else {})


_ALL = "*"


@dataclass(frozen=True, slots=True)
class Actions:
    """The routes that move instances."""

    lives: Lives

    def upgrade_instances(self, call: Call) -> Reply:
        """Give the instances that are named the model, all at once."""
        scale_set = find_scale_set(call)
        rolling_upgrades.require_none(call.session, scale_set)
        image = image_of(call.session, scale_set, call.time)
        return self._renew(call, scale_set, _named(call, scale_set), image)

    def reimage(self, call: Call) -> Reply:
        """Give the instances that are named, or all, a new disk from the version they have."""
        scale_set = find_scale_set(call)
        return self._renew(call, scale_set, _named(call, scale_set, default=_ALL), None)

    def reimage_instance(self, call: Call) -> Reply:
        """Give one instance a new disk from the version it has."""
        scale_set, instance = find_instance(call)
        return self._renew(call, scale_set, [instance], None)

    def _renew(
        self, call: Call, scale_set: Resource, instances: list[Resource], image: Resource | None
    ) -> Reply:
        crew = crew_of(call, self.lives)
        operation = operations.begin(call.session, scale_set.id, started=call.time, ended=None)
        for instance in instances:
            instance.settling = "Updating"
            if image:
                crew.renew(instance, scale_set, image)
            else:
                crew.restart(instance, scale_set, _image_of(call, instance))
        conclude(call.session, scale_set, operation, instances, time=call.time)
        return crew.reply(_accepted(call, scale_set, operation))

    def delete_instances(self, call: Call) -> Reply:
        """Take the instances that are named away, and want so many fewer."""
        scale_set = find_scale_set(call)
        return self._remove(call, scale_set, _named(call, scale_set))

    def delete_instance(self, call: Call) -> Reply:
        """Take one instance away, and want one fewer."""
        scale_set, instance = find_instance(call)
        return self._remove(call, scale_set, [instance])

    def _remove(self, call: Call, scale_set: Resource, instances: list[Resource]) -> Reply:
        crew = crew_of(call, self.lives)
        for instance in instances:
            crew.remove(instance)
        scale_set.body["sku"]["capacity"] -= len(instances)
        etags.move(scale_set)
        call.session.put(scale_set)
        return crew.reply(_accepted(call, scale_set, _soon(call, scale_set)))

    def start_upgrade(self, call: Call) -> Reply:
        """Move every instance in batches that does not run the version the model stands for."""
        crew, scale_set = crew_of(call, self.lives), find_scale_set(call)
        operation = operations.begin(call.session, scale_set.id, started=call.time, ended=None)
        rolling_upgrades.start(
            crew,
            scale_set,
            needs=lambda one, image: one.private["image"].lower() != image.key,
            operation=operation,
        )
        return crew.reply(_accepted(call, scale_set, operation))

    def cancel_upgrade(self, call: Call) -> Reply:
        """Cancel the rolling upgrade that is under way."""
        crew, scale_set = crew_of(call, self.lives), find_scale_set(call)
        rolling_upgrades.cancel(crew, scale_set)
        return crew.reply(_accepted(call, scale_set, _soon(call, scale_set)))

    def routes(self) -> tuple[Route, ...]:
        """Every route that moves instances, or says how far that is."""
        return (
            Route("POST", f"{ONE}/manualupgrade", self.upgrade_instances),
            Route("POST", f"{ONE}/reimage", self.reimage),
            Route("POST", f"{ONE}/reimageall", self.reimage),  # nobody here has data disks
            Route("POST", f"{ONE}/delete", self.delete_instances),
            Route("POST", f"{ONE}/virtualmachines/<instance>/reimage", self.reimage_instance),
            Route("DELETE", f"{ONE}/virtualmachines/<instance>", self.delete_instance),
            Route("POST", f"{ONE}/osrollingupgrade", self.start_upgrade),
            Route("POST", f"{ONE}/rollingupgrades/cancel", self.cancel_upgrade),
            Route("GET", f"{ONE}/rollingupgrades/latest", latest_upgrade),
            Route("GET", f"{ONE}/osupgradehistory", upgrade_history),
        )


def latest_upgrade(call: Call) -> Reply:
    """Show the last rolling upgrade, under way or over."""
    scale_set = find_scale_set(call)
    upgrade = rolling_upgrades.latest(call.session, scale_set)
    if upgrade is None:
        raise resource_not_found(
            rolling_upgrades.KIND, f"{scale_set.name}/latest", call.names["group"]
        )
    return Reply(200, shown(upgrade, scale_set))


def upgrade_history(call: Call) -> Reply:
    """List the rolling upgrades of a scale set, the last one first."""
    scale_set = find_scale_set(call)
    upgrades = rolling_upgrades.history(call.session, scale_set)
    return Reply(200, {"value": history_shown(upgrades, scale_set)})


def _named(call: Call, scale_set: Resource, *, default: str = "") -> list[Resource]:
    """The instances that the body names; `*` stands for all."""
    body = call.document() if call.body is not None else {}
    wanted = body.get("instanceIds") or ([default] if default else [])
    have = {one.body["instanceId"]: one for one in instances_of(call.session, scale_set)}
    if not wanted:
        raise invalid_parameter("Required parameter 'instanceIds' is missing (null).")
    if _ALL in wanted:
        return list(have.values())
    if unknown := [str(one) for one in wanted if str(one) not in have]:
        raise invalid_parameter(
            f"The provided instanceId {unknown[0]} is not an active Virtual Machine Scale Set VM"
            " instanceId."
        )
    return [have[str(one)] for one in wanted]


def _image_of(call: Call, instance: Resource) -> Resource:
    """The version that an instance was made from, which may have gone since."""
    found = usable(call.session, instance.private["image"], call.time)
    if found is None:
        raise ArmError(
            404,
            "GalleryImageNotFound",
            f"The gallery image {instance.private['image']} is not found.",
        )
    return found


def _soon(call: Call, scale_set: Resource) -> str:
    """An operation that takes the pace's time, and succeeds."""
    ended = call.time + call.pace.operation
    return operations.begin(call.session, scale_set.id, started=call.time, ended=ended)


def _accepted(call: Call, scale_set: Resource, operation: str) -> Reply:
    place = str(scale_set.body["location"])
    headers = operations.with_location(call, operations.COMPUTE, place, operation)
    return Reply(202, None, headers)
