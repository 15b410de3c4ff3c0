"""Rolling upgrades of scale sets: batches as the rolling upgrade policy and the clock allow.

An upgrade in progress advances when it is due (`Resource.settles`): the next request, whatever it
is, advances it as if each step had happened on time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from imagebake.emulator import operations
from imagebake.emulator.errors import ArmError
from imagebake.emulator.galleries.soft_deletion import deployable_version
from imagebake.emulator.machines.scale_set_models import (
    image_of,
    instances_of,
    number_of,
    pause_seconds,
)
from imagebake.emulator.machines.scale_set_reconciler import VmssReconciler
from imagebake.emulator.store import Resource, Session

KIND = "Microsoft.Compute/virtualMachineScaleSets/rollingUpgrades"
ROLLING, CANCELLED, COMPLETED, FAULTED = "RollingForward", "Cancelled", "Completed", "Faulted"

_STATUS = {COMPLETED: "Succeeded", CANCELLED: "Canceled", FAULTED: "Failed"}
_MORE = "For details on rolling upgrades, use http://aka.ms/AzureVMSSRollingUpgrade."


def latest(session: Session, scale_set: Resource) -> Resource | None:
    """Return the scale set's most recent upgrade, finished or not; None if it never had one."""
    number = scale_set.private.get("upgrades", 0)
    return session.find(_upgrade_id(scale_set, number)) if number else None


def history(session: Session, scale_set: Resource) -> list[Resource]:
    """Return the scale set's upgrades, newest first."""
    return session.list(KIND, f"{scale_set.key}/rollingupgrades/")[::-1]


def is_rolling(upgrade: Resource | None) -> bool:
    """Return whether *upgrade* is in progress."""
    return upgrade is not None and upgrade.settling == ROLLING


def require_none(session: Session, scale_set: Resource) -> None:
    """Refuse to proceed while a rolling upgrade is in progress: 409 `OperationNotAllowed`."""
    if is_rolling(latest(session, scale_set)):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation is not allowed on VM scale set '{scale_set.name}' since a rolling upgrade"
            f" is in progress. Wait for it to end, or cancel it. {_MORE}",
        )


def start(
    reconciler: VmssReconciler,
    scale_set: Resource,
    *,
    needs: Callable[[Resource, Resource], bool],
    operation: str | None = None,
) -> Resource:
    """Start a rolling upgrade of the instances for which *needs(instance, image)* is true.

    Changes and stores *scale_set*. *operation*, if any, ends with the upgrade.
    """
    session = reconciler.session
    require_none(session, scale_set)
    image = image_of(session, scale_set, reconciler.time)
    policy = scale_set.properties["upgradePolicy"]["rollingUpgradePolicy"]
    pending = [instance for instance in instances_of(session, scale_set) if needs(instance, image)]
    # Documented: unhealthy instances first.
    if policy.get("prioritizeUnhealthyInstances"):
        pending.sort(
            key=lambda instance: (_is_healthy(instance, reconciler.time), number_of(instance))
        )
    number = scale_set.private["upgrades"] = scale_set.private.get("upgrades", 0) + 1
    session.put(scale_set)
    upgrade = Resource(
        KIND,
        {"id": _upgrade_id(scale_set, number), "name": "latest"},
        {
            "policy": policy,
            "image": image.id,
            "pending": [number_of(instance) for instance in pending],
            "batch": [],
            "done": 0,
            "failed": [],
            "started": reconciler.time,
            "operation": operation,
            "action": ["Start", reconciler.time],
        },
        settles=reconciler.time,
        settling=ROLLING,
        state=COMPLETED,
    )
    advance(reconciler, scale_set, upgrade)
    return upgrade


def cancel(reconciler: VmssReconciler, scale_set: Resource) -> Resource:
    """Cancel the upgrade: the batch in progress finishes, and no other follows."""
    upgrade = latest(reconciler.session, scale_set)
    if upgrade is None or not is_rolling(upgrade):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"There is no rolling upgrade in progress on VM scale set '{scale_set.name}', so"
            " there is none to cancel.",
        )
    upgrade.private["action"] = ["Cancel", reconciler.time]
    upgrade.private["pending"] = []
    # Assumed: the batch in progress still finishes.
    upgrade.state = CANCELLED
    if not upgrade.private["batch"]:
        upgrade.settles = reconciler.time
    advance(reconciler, scale_set, upgrade)
    return upgrade


def advance(reconciler: VmssReconciler, scale_set: Resource, upgrade: Resource) -> None:
    """Carry out the steps of *upgrade* that are due, each at its own time."""
    while is_rolling(upgrade) and upgrade.settles <= reconciler.time:
        # At the time the step was due, so that pauses do not depend on when the next request comes.
        on_time = replace(reconciler, time=upgrade.settles)
        if upgrade.private["batch"]:
            _end_batch(on_time, scale_set, upgrade)
        else:
            _begin_batch(on_time, scale_set, upgrade)
    reconciler.session.put(upgrade)


def advance_due(reconciler: VmssReconciler) -> None:
    """Advance every rolling upgrade that is due."""
    for key in reconciler.session.due(ROLLING, reconciler.time):
        upgrade = reconciler.session.find(key)
        scale_set = reconciler.session.find(key.rpartition("/rollingupgrades/")[0])
        if upgrade and scale_set:
            advance(reconciler, scale_set, upgrade)


def wake(session: Session, scale_set_key: str, time: float) -> None:
    """Make the scale set's upgrade due now, because one of its instances settled."""
    scale_set = session.find(scale_set_key)
    upgrade = latest(session, scale_set) if scale_set else None
    if upgrade is not None and is_rolling(upgrade):
        upgrade.settles = min(upgrade.settles, time)
        session.put(upgrade)


def _begin_batch(reconciler: VmssReconciler, scale_set: Resource, upgrade: Resource) -> None:
    state = upgrade.private
    instances = {
        number_of(instance): instance for instance in instances_of(reconciler.session, scale_set)
    }
    pending = [number for number in state["pending"] if number in instances]
    unhealthy = sum(not _is_healthy(instance, reconciler.time) for instance in instances.values())
    if not pending:
        _end_upgrade(reconciler, upgrade, upgrade.state)
        return
    limit = state["policy"]["maxUnhealthyInstancePercent"]
    # Azure checks maxUnhealthyInstancePercent before each batch, the first one included.
    if 100 * unhealthy > limit * len(instances):
        when = "InRollingUpgrade" if state["done"] or state["failed"] else "BeforeRollingUpgrade"
        _fail_upgrade(
            reconciler,
            upgrade,
            f"MaxUnhealthyInstancePercentExceeded{when}",
            "Rolling Upgrade failed after exceeding the MaxUnhealthyInstancePercent value defined"
            f" in the RollingUpgradePolicy. {100 * unhealthy // len(instances)}% of instances are"
            f" in an unhealthy state - more than the threshold of {limit}%. {_MORE}",
        )
        return
    # A batch is never empty, however small the percentage.
    size = max(1, len(instances) * state["policy"]["maxBatchInstancePercent"] // 100)
    state["batch"], state["pending"] = pending[:size], pending[size:]
    image = deployable_version(reconciler.session, state["image"], reconciler.time)
    if image is None:
        _fail_upgrade(
            reconciler, upgrade, "GalleryImageNotFound", f"{state['image']} is not found."
        )
        return
    batch = [instances[number] for number in state["batch"]]
    for instance in batch:
        instance.settling = "Updating"
        reconciler.apply_latest_model(instance, scale_set, image)
    upgrade.settles = max(instance.settles for instance in batch)


def _end_batch(reconciler: VmssReconciler, scale_set: Resource, upgrade: Resource) -> None:
    state = upgrade.private
    found = (
        reconciler.session.find(f"{scale_set.id}/virtualMachines/{number}")
        for number in state["batch"]
    )
    batch = [instance for instance in found if instance]
    ends = max([reconciler.time, *(instance.settles for instance in batch)])
    # An instance of the batch is still settling, so the batch has not ended.
    if ends > reconciler.time:
        upgrade.settles = ends
        return
    failed = [
        number_of(instance) for instance in batch if not _is_healthy(instance, reconciler.time)
    ]
    state["batch"] = []
    state["failed"] += failed
    state["done"] += len(batch) - len(failed)
    limit = state["policy"]["maxUnhealthyUpgradedInstancePercent"]
    failed_count, upgraded = len(state["failed"]), len(state["failed"]) + state["done"]
    # Checked after each batch, over the instances upgraded so far.
    if 100 * failed_count > limit * upgraded:
        _fail_upgrade(
            reconciler,
            upgrade,
            "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade",
            "Rolling Upgrade failed after exceeding the MaxUnhealthyUpgradedInstancePercent value"
            f" defined in the RollingUpgradePolicy. {100 * failed_count // upgraded}% of instances"
            f" are in an unhealthy state after being upgraded - more than the threshold of {limit}%"
            ". The most impactful error is: Instance found to be unhealthy or unreachable.. First"
            f" failed instance ID is: {state['failed'][0]}. {_MORE}",
        )
    elif state["pending"]:
        upgrade.settles = reconciler.time + pause_seconds(state["policy"])
    else:
        _end_upgrade(reconciler, upgrade, upgrade.state)


def _is_healthy(instance: Resource, time: float) -> bool:
    return instance.provisioning_state(time) == "Succeeded"


def _fail_upgrade(reconciler: VmssReconciler, upgrade: Resource, code: str, message: str) -> None:
    upgrade.private["error"] = {"code": code, "message": message}
    _end_upgrade(reconciler, upgrade, FAULTED)


def _end_upgrade(reconciler: VmssReconciler, upgrade: Resource, state: str) -> None:
    upgrade.settling = upgrade.state = state
    upgrade.private["ended"] = reconciler.time
    if operation := upgrade.private["operation"]:
        status = _STATUS[state]
        error = upgrade.private.get("error")
        operations.finish(
            reconciler.session, operation, ended=reconciler.time, status=status, error=error
        )


def _upgrade_id(scale_set: Resource, number: int) -> str:
    # Six digits, so that ids sort by age.
    return f"{scale_set.id}/rollingUpgrades/{number:06}"
