"""Actions on scale sets: manual upgrade, reimage, deletion of instances, rolling upgrades."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from imagebake.emulator import operations, resources
from imagebake.emulator.calls import Call, Reply, Route, stamp_of
from imagebake.emulator.errors import ArmError, invalid_parameter, resource_not_found
from imagebake.emulator.galleries.soft_deletion import deployable_version
from imagebake.emulator.machines import rolling_upgrades
from imagebake.emulator.machines.rolling_upgrades import KIND
from imagebake.emulator.machines.scale_set_models import image_of, instances_of
from imagebake.emulator.machines.scale_set_operations import end_when_settled
from imagebake.emulator.machines.scale_set_reconciler import reconciler_of
from imagebake.emulator.machines.scale_sets import SCALE_SET_RULE, find_instance, find_scale_set
from imagebake.emulator.machines.supervisor import VmSupervisor
from imagebake.emulator.store import Resource

_ALL = "*"
"""Stands for every instance in `instanceIds`."""


def progress(upgrade: Resource) -> dict[str, int]:
    """Return the number of instances per stage of the upgrade."""
    state = upgrade.private
    return {
        "successfulInstanceCount": state["done"],
        "failedInstanceCount": len(state["failed"]),
        "inProgressInstanceCount": len(state["batch"]),
        "pendingInstanceCount": len(state["pending"]),
    }


def shown(upgrade: Resource, scale_set: Resource) -> dict[str, Any]:
    """Render an upgrade as `rollingUpgrades/latest` returns it."""
    state = upgrade.private
    action, when = state["action"]
    properties: dict[str, Any] = {
        "policy": state["policy"],
        "runningStatus": {
            "code": upgrade.settling,
            "startTime": stamp_of(state["started"]),
            "lastAction": action,
            "lastActionTime": stamp_of(when),
        },
        "progress": progress(upgrade),
    }
    if "error" in state:
        properties["error"] = state["error"]
    return {
        "id": f"{scale_set.id}/rollingUpgrades/latest",
        "name": "latest",
        "type": KIND,
        "location": scale_set.body["location"],
        "properties": properties,
    }


def history_shown(upgrades: Iterable[Resource], scale_set: Resource) -> list[dict[str, Any]]:
    """Render upgrades as `osUpgradeHistory` returns them."""
    return [
        {
            "type": KIND,
            "location": scale_set.body["location"],
            "properties": _historical(upgrade),
        }
        for upgrade in upgrades
    ]


def _historical(upgrade: Resource) -> dict[str, Any]:
    state = upgrade.private
    status = {"code": upgrade.settling, "startTime": stamp_of(state["started"])}
    if "ended" in state:
        status["endTime"] = stamp_of(state["ended"])
    properties = {
        "runningStatus": status,
        "progress": progress(upgrade),
        "startedBy": "User",
        "targetImageReference": {"id": state["image"]},
    }
    return properties | ({"error": state["error"]} if "error" in state else {})


@dataclass(frozen=True, slots=True)
class ScaleSetActionRoutes:
    """Routes of the actions that change instances."""

    supervisor: VmSupervisor

    def upgrade_instances(self, call: Call) -> Reply:
        """Apply the latest model to the selected instances, all at once (`manualupgrade`)."""
        scale_set = find_scale_set(call)
        rolling_upgrades.require_none(call.session, scale_set)
        image = image_of(call.session, scale_set, call.time)
        return self._renew(call, scale_set, _selected_instances(call, scale_set), image)

    def reimage(self, call: Call) -> Reply:
        """Reimage the selected instances, or all, from the version that each of them runs."""
        scale_set = find_scale_set(call)
        return self._renew(
            call, scale_set, _selected_instances(call, scale_set, default=_ALL), None
        )

    def reimage_instance(self, call: Call) -> Reply:
        """Reimage one instance from the version that it runs."""
        scale_set, instance = find_instance(call)
        return self._renew(call, scale_set, [instance], None)

    def _renew(
        self, call: Call, scale_set: Resource, instances: list[Resource], image: Resource | None
    ) -> Reply:
        reconciler = reconciler_of(call, self.supervisor)
        operation = operations.begin(call.session, scale_set.id, started=call.time, ended=None)
        for instance in instances:
            instance.settling = "Updating"
            if image:
                reconciler.apply_latest_model(instance, scale_set, image)
            else:
                reconciler.reimage(instance, scale_set, _image_of(call, instance))
        end_when_settled(call.session, scale_set, operation, instances, time=call.time)
        return reconciler.reply(_accepted(call, scale_set, operation))

    def delete_instances(self, call: Call) -> Reply:
        """Delete the selected instances and lower the capacity by as many."""
        scale_set = find_scale_set(call)
        return self._remove(call, scale_set, _selected_instances(call, scale_set))

    def delete_instance(self, call: Call) -> Reply:
        """Delete one instance and lower the capacity by one."""
        scale_set, instance = find_instance(call)
        return self._remove(call, scale_set, [instance])

    def _remove(self, call: Call, scale_set: Resource, instances: list[Resource]) -> Reply:
        reconciler = reconciler_of(call, self.supervisor)
        for instance in instances:
            reconciler.remove(instance)
        # Documented: deleting an instance lowers the capacity.
        scale_set.body["sku"]["capacity"] -= len(instances)
        resources.advance_etag(scale_set)
        call.session.put(scale_set)
        return reconciler.reply(_accepted(call, scale_set, _timed_operation(call, scale_set)))

    def start_upgrade(self, call: Call) -> Reply:
        """Start an OS upgrade of every instance that does not run the model's latest image."""
        reconciler, scale_set = reconciler_of(call, self.supervisor), find_scale_set(call)
        operation = operations.begin(call.session, scale_set.id, started=call.time, ended=None)
        rolling_upgrades.start(
            reconciler,
            scale_set,
            needs=lambda instance, image: instance.private["image"].lower() != image.key,
            operation=operation,
        )
        return reconciler.reply(_accepted(call, scale_set, operation))

    def cancel_upgrade(self, call: Call) -> Reply:
        """Cancel the rolling upgrade in progress; 409 if there is none."""
        reconciler, scale_set = reconciler_of(call, self.supervisor), find_scale_set(call)
        rolling_upgrades.cancel(reconciler, scale_set)
        return reconciler.reply(_accepted(call, scale_set, _timed_operation(call, scale_set)))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of the actions and of the upgrades' progress."""
        return (
            Route("POST", f"{SCALE_SET_RULE}/manualupgrade", self.upgrade_instances),
            Route("POST", f"{SCALE_SET_RULE}/reimage", self.reimage),
            Route("POST", f"{SCALE_SET_RULE}/reimageall", self.reimage),  # no data disks here
            Route("POST", f"{SCALE_SET_RULE}/delete", self.delete_instances),
            Route(
                "POST",
                f"{SCALE_SET_RULE}/virtualmachines/<instance>/reimage",
                self.reimage_instance,
            ),
            Route("DELETE", f"{SCALE_SET_RULE}/virtualmachines/<instance>", self.delete_instance),
            Route("POST", f"{SCALE_SET_RULE}/osrollingupgrade", self.start_upgrade),
            Route("POST", f"{SCALE_SET_RULE}/rollingupgrades/cancel", self.cancel_upgrade),
            Route("GET", f"{SCALE_SET_RULE}/rollingupgrades/latest", latest_upgrade),
            Route("GET", f"{SCALE_SET_RULE}/osupgradehistory", upgrade_history),
        )


def latest_upgrade(call: Call) -> Reply:
    """GET the most recent rolling upgrade; 404 if the scale set never had one."""
    scale_set = find_scale_set(call)
    upgrade = rolling_upgrades.latest(call.session, scale_set)
    if upgrade is None:
        raise resource_not_found(
            rolling_upgrades.KIND, f"{scale_set.name}/latest", call.names["group"]
        )
    return Reply(200, shown(upgrade, scale_set))


def upgrade_history(call: Call) -> Reply:
    """List the rolling upgrades of a scale set, newest first."""
    scale_set = find_scale_set(call)
    upgrades = rolling_upgrades.history(call.session, scale_set)
    return Reply(200, {"value": history_shown(upgrades, scale_set)})


def _selected_instances(call: Call, scale_set: Resource, *, default: str = "") -> list[Resource]:
    """Return the instances that `instanceIds` selects; `*` selects all."""
    body = call.document() if call.body is not None else {}
    wanted = body.get("instanceIds") or ([default] if default else [])
    have = {
        instance.body["instanceId"]: instance for instance in instances_of(call.session, scale_set)
    }
    if not wanted:
        raise invalid_parameter("Required parameter 'instanceIds' is missing (null).")
    if _ALL in wanted:
        return list(have.values())
    if unknown := [str(number) for number in wanted if str(number) not in have]:
        raise invalid_parameter(
            f"The provided instanceId {unknown[0]} is not an active Virtual Machine Scale Set VM"
            " instanceId."
        )
    return [have[str(number)] for number in wanted]


def _image_of(call: Call, instance: Resource) -> Resource:
    """Return the version that an instance was created from; 404 if it no longer exists."""
    found = deployable_version(call.session, instance.private["image"], call.time)
    if found is None:
        raise ArmError(
            404,
            "GalleryImageNotFound",
            f"The gallery image {instance.private['image']} is not found.",
        )
    return found


def _timed_operation(call: Call, scale_set: Resource) -> str:
    """Begin an operation that succeeds after the pace's `operation` seconds."""
    ended = call.time + call.pace.operation
    return operations.begin(call.session, scale_set.id, started=call.time, ended=ended)


def _accepted(call: Call, scale_set: Resource, operation: str) -> Reply:
    place = str(scale_set.body["location"])
    headers = operations.with_location(call, operations.COMPUTE, place, operation)
    return Reply(202, None, headers)
