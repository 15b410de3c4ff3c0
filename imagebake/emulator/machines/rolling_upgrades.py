"""Rolling upgrades: a scale set moved to its model in batches, as its policy and the clock say.

An upgrade under way is looked at again when it is due (`Resource.settles`): by whatever
request comes next, as if it had been looked at in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imagebake.emulator import operations
from imagebake.emulator.errors import ArmError
from imagebake.emulator.galleries.soft_deletion import usable
from imagebake.emulator.machines.scale_set_instances import image_of, instances_of, number_of
from imagebake.emulator.machines.scale_set_models import pause_seconds
from imagebake.emulator.machines.scale_set_reconciler import Crew
from imagebake.emulator.store import Resource, Session

KIND = "Microsoft.Compute/virtualMachineScaleSets/rollingUpgrades"
ROLLING, CANCELLED, COMPLETED, FAULTED = "RollingForward", "Cancelled", "Completed", "Faulted"

_STATUS = {COMPLETED: "Succeeded", CANCELLED: "Canceled", FAULTED: "Failed"}
_MORE = "For details on rolling upgrades, use http://aka.ms/AzureVMSSRollingUpgrade."


def latest(session: Session, scale_set: Resource) -> Resource | None:
    """The scale set's last upgrade, under way or over; None when it never had one."""
    number = scale_set.private.get("upgrades", 0)
    return session.find(_id(scale_set, number)) if number else None


def history(session: Session, scale_set: Resource) -> list[Resource]:
    """Every upgrade of the scale set, the last one first."""
    return session.list(KIND, f"{scale_set.key}/rollingupgrades/")[::-1]


def is_rolling(upgrade: Resource | None) -> bool:
    """Whether *upgrade* is under way."""
    return upgrade is not None and upgrade.settling == ROLLING


def require_none(session: Session, scale_set: Resource) -> None:
    """Refuse to begin while an upgrade of *scale_set* is under way."""
    if is_rolling(latest(session, scale_set)):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation is not allowed on VM scale set '{scale_set.name}' since a rolling upgrade"
            f" is in progress. Wait for it to end, or cancel it. {_MORE}",
        )


def start(
    crew: Crew,
    scale_set: Resource,
    *,
    needs: Callable[[Resource, Resource], bool],
    operation: str | None = None,
) -> Resource:
    """Begin to move those instances that need it; *needs* is asked (instance, image).

    *scale_set* is changed and kept. *operation* ends with the upgrade.
    """
    session = crew.session
    require_none(session, scale_set)
    image = image_of(session, scale_set, crew.time)
    policy = scale_set.properties["upgradePolicy"]["rollingUpgradePolicy"]
    pending = [one for one in instances_of(session, scale_set) if needs(one, image)]
    if policy.get("prioritizeUnhealthyInstances"):
        pending.sort(key=lambda one: (_is_well(one, crew.time), number_of(one)))
    number = scale_set.private["upgrades"] = scale_set.private.get("upgrades", 0) + 1
    session.put(scale_set)
    upgrade = Resource(
        KIND,
        {"id": _id(scale_set, number), "name": "latest"},
        {
            "policy": policy,
            "image": image.id,
            "pending": [number_of(one) for one in pending],
            "batch": [],
            "done": 0,
            "failed": [],
            "started": crew.time,
            "operation": operation,
            "action": ["Start", crew.time],
        },
        settles=crew.time,
        settling=ROLLING,
        state=COMPLETED,
    )
    advance(crew, scale_set, upgrade)
    return upgrade


def cancel(crew: Crew, scale_set: Resource) -> Resource:
    """Let the batch that is under way be the last one."""
    upgrade = latest(crew.session, scale_set)
    if upgrade is None or not is_rolling(upgrade):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"There is no rolling upgrade in progress on VM scale set '{scale_set.name}', so"
            " there is none to cancel.",
        )
    upgrade.private["action"] = ["Cancel", crew.time]
    upgrade.private["pending"] = []
    upgrade.state = CANCELLED
    if not upgrade.private["batch"]:
        upgrade.settles = crew.time
    advance(crew, scale_set, upgrade)
    return upgrade


def advance(crew: Crew, scale_set: Resource, upgrade: Resource) -> None:
    """Do what is due of *upgrade* by the crew's time, each step at its own time."""
    while is_rolling(upgrade) and upgrade.settles <= crew.time:
        then = replace(crew, time=upgrade.settles)
        if upgrade.private["batch"]:
            _end_batch(then, scale_set, upgrade)
        else:
            _begin_batch(then, scale_set, upgrade)
    crew.session.put(upgrade)


def advance_due(crew: Crew) -> None:
    """Do what is due of every upgrade."""
    for key in crew.session.due(ROLLING, crew.time):
        upgrade = crew.session.find(key)
        scale_set = crew.session.find(key.rpartition("/rollingupgrades/")[0])
        if upgrade and scale_set:
            advance(crew, scale_set, upgrade)


def wake(session: Session, scale_set_key: str, time: float) -> None:
    """Have the upgrade of a scale set looked at by the next request: an instance is ready."""
    scale_set = session.find(scale_set_key)
    upgrade = latest(session, scale_set) if scale_set else None
    if upgrade is not None and is_rolling(upgrade):
        upgrade.settles = min(upgrade.settles, time)
        session.put(upgrade)


def _begin_batch(crew: Crew, scale_set: Resource, upgrade: Resource) -> None:
    known = upgrade.private
    instances = {number_of(one): one for one in instances_of(crew.session, scale_set)}
    pending = [number for number in known["pending"] if number in instances]
    unwell = sum(not _is_well(one, crew.time) for one in instances.values())
    if not pending:
        _end(crew, upgrade, upgrade.state)
        return
    most = known["policy"]["maxUnhealthyInstancePercent"]
    if 100 * unwell > most * len(instances):
        when = "InRollingUpgrade" if known["done"] or known["failed"] else "BeforeRollingUpgrade"
        _fault(
            crew,
            upgrade,
            f"MaxUnhealthyInstancePercentExceeded{when}",
            "Rolling Upgrade failed after exceeding the MaxUnhealthyInstancePercent value defined"
            f" in the RollingUpgradePolicy. {100 * unwell // len(instances)}% of instances are in"
            f" an unhealthy state - more than the threshold of {most}%. {_MORE}",
        )
        return
    size = max(1, len(instances) * known["policy"]["maxBatchInstancePercent"] // 100)
    known["batch"], known["pending"] = pending[:size], pending[size:]
    image = usable(crew.session, known["image"], crew.time)
    if image is None:
        _fault(crew, upgrade, "GalleryImageNotFound", f"{known['image']} is not found.")
        return
    batch = [instances[number] for number in known["batch"]]
    for instance in batch:
        instance.settling = "Updating"
        crew.renew(instance, scale_set, image)
    upgrade.settles = max(one.settles for one in batch)


def _end_batch(crew: Crew, scale_set: Resource, upgrade: Resource) -> None:
    known = upgrade.private
    found = (
        crew.session.find(f"{scale_set.id}/virtualMachines/{number}") for number in known["batch"]
    )
    batch = [one for one in found if one]
    ends = max([crew.time, *(one.settles for one in batch)])
    if ends > crew.time:
        upgrade.settles = ends
        return
    failed = [number_of(one) for one in batch if not _is_well(one, crew.time)]
    known["batch"] = []
    known["failed"] += failed
    known["done"] += len(batch) - len(failed)
    most = known["policy"]["maxUnhealthyUpgradedInstancePercent"]
    bad, upgraded = len(known["failed"]), len(known["failed"]) + known["done"]
    if 100 * bad > most * upgraded:
        _fault(
            crew,
            upgrade,
            "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade",
            "Rolling Upgrade failed after exceeding the MaxUnhealthyUpgradedInstancePercent value"
            f" defined in the RollingUpgradePolicy. {100 * bad // upgraded}% of instances are in"
            f" an unhealthy state after being upgraded - more than the threshold of {most}%. The"
            " most impactful error is: Instance found to be unhealthy or unreachable.. First"
            f" failed instance ID is: {known['failed'][0]}. {_MORE}",
        )
    elif known["pending"]:
        upgrade.settles = crew.time + pause_seconds(known["policy"])
    else:
        _end(crew, upgrade, upgrade.state)


def _is_well(instance: Resource, time: float) -> bool:
    return instance.provisioning_state(time) == "Succeeded"


def _fault(crew: Crew, upgrade: Resource, code: str, message: str) -> None:
    upgrade.private["error"] = {"code": code, "message": message}
    _end(crew, upgrade, FAULTED)


def _end(crew: Crew, upgrade: Resource, state: str) -> None:
    upgrade.settling = upgrade.state = state
    upgrade.private["ended"] = crew.time
    if operation := upgrade.private["operation"]:
        status = _STATUS[state]
        error = upgrade.private.get("error")
        operations.finish(crew.session, operation, ended=crew.time, status=status, error=error)


def _id(scale_set: Resource, number: int) -> str:
    return f"{scale_set.id}/rollingUpgrades/{number:06}"
