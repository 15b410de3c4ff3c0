"""What is done to a scale set or its instances: upgraded, made anew, taken away."""

from __future__ import annotations

from collections.abc import Iterable

from imagebake.emulator import etags, operations, rolling_upgrades, upgrade_views
from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError, invalid_parameter, resource_not_found
from imagebake.emulator.scale_set_instances import crew_of, image_of, instances_of
from imagebake.emulator.scale_sets import ONE, find_instance, find_scale_set
from imagebake.emulator.soft_deletion import usable
from imagebake.emulator.store import Resource

_ALL = "*"


def upgrade_instances(call: Call) -> Reply:
    """Give the instances that are named the model, all at once."""
    scale_set = find_scale_set(call)
    rolling_upgrades.require_none(call.session, scale_set)
    image = image_of(call.session, scale_set, call.time)
    return _renew(call, scale_set, _named(call, scale_set), image)


def reimage(call: Call) -> Reply:
    """Give the instances that are named, or all, a new disk from the version they have."""
    scale_set = find_scale_set(call)
    return _renew(call, scale_set, _named(call, scale_set, default=_ALL), None)


def reimage_instance(call: Call) -> Reply:
    """Give one instance a new disk from the version it has."""
    scale_set, instance = find_instance(call)
    return _renew(call, scale_set, [instance], None)


def _renew(
    call: Call, scale_set: Resource, instances: Iterable[Resource], image: Resource | None
) -> Reply:
    crew, ends, failed = crew_of(call), call.time, None
    for instance in instances:
        source = image or usable(call.session, instance.private["image"], call.time)
        if source is None:
            raise ArmError(
                404,
                "GalleryImageNotFound",
                f"The gallery image {instance.private['image']} is not found.",
            )
        instance.settling = "Updating"
        if image:
            crew.renew(instance, scale_set, source)
        else:
            crew.restart(instance, source)
        ends = max(ends, instance.settles)
        failed = failed or (instance.name if instance.state == "Failed" else None)
    error = _broken(failed) if failed else None
    operation = operations.begin(
        call.session, scale_set.id, started=call.time, ended=ends, error=error
    )
    return _accepted(call, scale_set, operation)


def delete_instances(call: Call) -> Reply:
    """Take the instances that are named away, and want so many fewer."""
    scale_set = find_scale_set(call)
    return _remove(call, scale_set, _named(call, scale_set))


def delete_instance(call: Call) -> Reply:
    """Take one instance away, and want one fewer."""
    scale_set, instance = find_instance(call)
    return _remove(call, scale_set, [instance])


def _remove(call: Call, scale_set: Resource, instances: list[Resource]) -> Reply:
    crew = crew_of(call)
    for instance in instances:
        crew.remove(instance)
    scale_set.body["sku"]["capacity"] -= len(instances)
    etags.move(scale_set)
    call.session.put(scale_set)
    ended = call.time + call.pace.operation
    operation = operations.begin(call.session, scale_set.id, started=call.time, ended=ended)
    return _accepted(call, scale_set, operation)


def start_upgrade(call: Call) -> Reply:
    """Move every instance in batches that does not run the version the model stands for."""
    scale_set = find_scale_set(call)
    operation = operations.begin(call.session, scale_set.id, started=call.time, ended=None)
    rolling_upgrades.start(
        crew_of(call),
        scale_set,
        needs=lambda one, image: one.private["image"].lower() != image.key,
        operation=operation,
    )
    return _accepted(call, scale_set, operation)


def cancel_upgrade(call: Call) -> Reply:
    """Cancel the rolling upgrade that is under way."""
    scale_set = find_scale_set(call)
    rolling_upgrades.cancel(crew_of(call), scale_set)
    ended = call.time + call.pace.operation
    operation = operations.begin(call.session, scale_set.id, started=call.time, ended=ended)
    return _accepted(call, scale_set, operation)


def latest_upgrade(call: Call) -> Reply:
    """Show the last rolling upgrade, under way or over."""
    scale_set = find_scale_set(call)
    upgrade = rolling_upgrades.latest(call.session, scale_set)
    if upgrade is None:
        raise resource_not_found(
            rolling_upgrades.KIND, f"{scale_set.name}/latest", call.names["group"]
        )
    return Reply(200, upgrade_views.shown(upgrade, scale_set))


def upgrade_history(call: Call) -> Reply:
    """List the rolling upgrades of a scale set, the last one first."""
    scale_set = find_scale_set(call)
    upgrades = rolling_upgrades.history(call.session, scale_set)
    return Reply(200, {"value": upgrade_views.history_shown(upgrades, scale_set)})


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


def _broken(name: str) -> dict[str, str]:
    return {
        "code": "VMStartTimedOut",
        "message": f"VM '{name}' did not start in the allotted time. The VM may still start"
        " successfully. Please check the power state later.",
    }


def _accepted(call: Call, scale_set: Resource, operation: str) -> Reply:
    place = str(scale_set.body["location"])
    headers = operations.with_location(call, operations.COMPUTE, place, operation)
    return Reply(202, None, headers)


ROUTES = (
    Route("POST", f"{ONE}/manualupgrade", upgrade_instances),
    Route("POST", f"{ONE}/reimage", reimage),
    Route("POST", f"{ONE}/delete", delete_instances),
    Route("POST", f"{ONE}/virtualmachines/<instance>/reimage", reimage_instance),
    Route("DELETE", f"{ONE}/virtualmachines/<instance>", delete_instance),
    Route("POST", f"{ONE}/osrollingupgrade", start_upgrade),
    Route("POST", f"{ONE}/rollingupgrades/cancel", cancel_upgrade),
    Route("GET", f"{ONE}/rollingupgrades/latest", latest_upgrade),
    Route("GET", f"{ONE}/osupgradehistory", upgrade_history),
)
