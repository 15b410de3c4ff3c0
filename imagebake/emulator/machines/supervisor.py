"""VM supervisor: one thread per running virtual machine, driven by the state in the store.

A VM's thread polls the store whenever the guest reports, a request wakes it, or a tick passes.
The store is its only mailbox, so a PUT or DELETE that another process handled is carried out by
the process that runs the VM. That process holds a file lock for as long as the VM is on: a
process that can take the lock knows that the VM is off.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagebake.emulator import operations
from imagebake.emulator.calls import Pace
from imagebake.emulator.galleries.soft_deletion import deployable_version
from imagebake.emulator.machines.host import (
    EXTENSION,
    READY,
    ExtensionOrder,
    MachineFailed,
    MachineHost,
    MachineOrder,
    MachineReport,
    RunningMachine,
    machine_order,
    wanted_extensions,
)
from imagebake.emulator.machines.instance_views import (
    Error,
    extension_done,
    extension_error,
    provisioning_error,
    report_to_json,
)
from imagebake.emulator.machines.scale_set_models import INSTANCE
from imagebake.emulator.machines.vm_models import image_record
from imagebake.emulator.store import Resource, Session, Store
from imagebake.kernel.host.files import file_lock

MACHINE = "Microsoft.Compute/virtualMachines"
UNSETTLED = 1e12
"""Placeholder for an unknown settling time, in seconds since the epoch: far in the future."""
_TICK = 0.2
_LOG = logging.getLogger(__name__)
_PROCESS_ENDED: Error = {
    "code": "InternalOperationError",
    "message": "The process that ran the machine ended.",
}
_IMAGE_GONE: Error = {
    "code": "GalleryImageNotFound",
    "message": "The gallery image that the machine was to be made from is gone.",
}


@dataclass(slots=True)
class SupervisedVm:
    """A virtual machine, the state of its thread, and the last report of its guest agent.

    *goal* is the goal state that the guest was last given, *evaluated* the last report whose
    effect on operations is recorded, *generation* counts reimages.
    """

    order: MachineOrder
    lock: Path
    woken: threading.Event = field(default_factory=threading.Event)
    report: MachineReport | None = None
    evaluated: MachineReport | None = None
    goal: tuple[ExtensionOrder, ...] = ()
    goal_set_at: dt.datetime | None = None
    generation: int = 0
    running: RunningMachine | None = None

    def restart_with(self, order: MachineOrder, generation: int) -> None:
        """Reset the state for a reimage, so that no report of the previous disk counts."""
        self.order, self.generation = order, generation
        self.report = self.evaluated = self.goal_set_at = None
        self.goal = ()

    def receive(self, report: MachineReport) -> None:
        """Store a report of the guest and wake the thread."""
        self.report = report
        self.woken.set()


def settle_operation(
    session: Session, resource: Resource, operation: str, now: float, error: Error | None
) -> None:
    """End the long-running operation of *resource*, and set its final provisioning state."""
    status = "Failed" if error else "Succeeded"
    operations.finish(session, operation, ended=now, status=status, error=error)
    resource.private.update(operation=None, error=error)
    resource.settles, resource.state = now, status
    session.put(resource)


class VmSupervisor:
    """Starts, supervises and stops virtual machines; *host* is None where no VM can boot.

    *on_settled* is called inside the transaction that settles a VM or one of its extensions.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        *,
        host: MachineHost | None,
        now: Callable[[], dt.datetime],
        pace: Callable[[], Pace],
        on_settled: Callable[[Session, str, float], None],
    ) -> None:
        self._folder = folder
        self._store = store
        self.host = host
        self._now = now
        self._pace = pace
        self._on_settled = on_settled
        self._closing = threading.Event()
        self._vms: dict[str, tuple[SupervisedVm, threading.Thread]] = {}

    def supervise(self, machine: Resource, image: Mapping[str, object]) -> Callable[[], None]:
        """Claim *machine* for this process; call the result after the transaction is committed."""
        machine.private.update(owner=str(uuid.uuid4()), power="starting")
        generation = machine.private.get("generation", 0)
        order = machine_order(machine, image)
        vm = SupervisedVm(order, self._lock(machine), generation=generation)
        lock = contextlib.ExitStack()
        lock.enter_context(file_lock(vm.lock, wait=False))

        def run() -> None:
            with lock:
                self._run_until_off(vm)
                vm.lock.unlink(missing_ok=True)
            if (entry := self._vms.get(machine.key)) and entry[0] is vm:
                del self._vms[machine.key]

        thread = threading.Thread(target=run, name=f"machine {machine.name}", daemon=True)
        self._vms[machine.key] = (vm, thread)
        return thread.start

    def wake(self, machine_key: str) -> None:
        """Make the VM's thread poll the store at once, if the VM runs in this process."""
        if found := self._vms.get(machine_key):
            found[0].woken.set()

    def is_running(self, machine: Resource) -> bool:
        """Return whether any process that shares the folder runs *machine*."""
        if machine.key in self._vms:
            return True
        if "owner" not in machine.private:
            return False
        with file_lock(self._lock(machine), wait=False) as free:
            return not free

    def console(self, owner: str) -> bytes | None:
        """Return the serial console of the VM with that *owner* id, if this process runs it."""
        running = (vm.running for vm, _ in list(self._vms.values()) if vm.lock.stem == owner)
        found = next(running, None)
        return found.console() if found else None

    def fail_orphans(self) -> None:
        """Record as stopped the VMs whose process has died."""
        if not any(self._folder.glob("machines/*.lock")):
            return
        with self._store.reading() as session:
            machines = [
                machine
                for kind in (MACHINE, INSTANCE)
                for machine in session.list(kind, "/subscriptions/")
            ]
        for machine in machines:
            if "owner" not in machine.private:
                continue
            # The lock is free although the store says that the VM is on: its process was killed.
            if machine.private["power"] in ("starting", "running") and not self.is_running(machine):
                with self._store.writing() as session:
                    if found := session.find(machine.key):
                        self._record_stopped(session, found, _PROCESS_ENDED)
                self._lock(machine).unlink(missing_ok=True)

    def close(self) -> None:
        """Stop the VMs of this process and wait for their threads."""
        self._closing.set()
        for vm, thread in list(self._vms.values()):
            vm.woken.set()
            thread.join()

    def _lock(self, machine: Resource) -> Path:
        return self._folder / "machines" / f"{machine.private['owner']}.lock"

    def _run_until_off(self, vm: SupervisedVm) -> None:
        """Boot the VM, again after each reimage, and record its end."""
        while True:
            error = self._boot_and_supervise(vm)
            if error is not None and self._record_end(vm, error):
                return
            if not self._prepare_reimage(vm):
                return

    def _boot_and_supervise(self, vm: SupervisedVm) -> Error | None:
        """Boot and supervise the VM; return why it stopped, or None if it is to be reimaged."""
        try:
            running = self.host.boot(vm.order, on_report=vm.receive) if self.host else None
            if running:
                vm.running = running
                try:
                    if self._supervise(vm, running):
                        return None
                finally:
                    vm.running = None
                    running.stop()
        except MachineFailed as error:
            return {"code": error.code, "message": error.message}
        except Exception as error:  # noqa: BLE001 - whatever breaks a machine, it must end
            _LOG.warning("a machine broke unexpectedly", exc_info=True)
            return {"code": "InternalOperationError", "message": f"{error}"}
        return _PROCESS_ENDED

    def _prepare_reimage(self, vm: SupervisedVm) -> bool:
        """Reset *vm* to the model in the store; False if the VM or its image no longer exists."""
        with self._store.writing() as session:
            machine = session.find(vm.order.id)
            if machine is None:
                return False
            image = deployable_version(session, machine.private["image"], self._now().timestamp())
            if image is None:
                self._record_stopped(session, machine, _IMAGE_GONE)
                return False
            order = machine_order(machine, image_record(image, session))
        vm.restart_with(order, machine.private["generation"])
        return True

    def _supervise(self, vm: SupervisedVm, running: RunningMachine) -> bool:
        """Poll until the VM is deleted or this process ends; True if it is to be reimaged."""
        key = vm.order.id.lower()
        # Poll on a tick as well, because a request that another process handled cannot wake us.
        while not self._closing.is_set():
            with self._store.reading() as session:
                machine = session.find(key)
                wanted = wanted_extensions(session, key)
                overdue = machine is not None and self._is_late(session, machine)
            if machine is None or machine.settling == "Deleting":
                return False
            if machine.private.get("generation", 0) != vm.generation:
                return True
            ready = machine.private.get("ready", machine.state == "Succeeded")
            if ready and not machine.private.get("operation") and wanted != vm.goal:
                vm.goal, vm.goal_set_at = wanted, self._now()
                running.set_extensions(wanted)
            if overdue or vm.report is not vm.evaluated:
                self._evaluate(vm, key)
            vm.woken.wait(_TICK)
            vm.woken.clear()
        return False

    def _is_late(self, session: Session, machine: Resource) -> bool:
        """Return whether provisioning, or an extension, exceeded its time limit."""
        now, pace = self._now().timestamp(), self._pace()
        extensions = session.list(EXTENSION, f"{machine.key}/extensions/")
        limits = [
            (machine, pace.provisioning),
            *((resource, pace.extension) for resource in extensions),
        ]
        return any(
            resource.private.get("operation") and now > resource.private["began"] + limit
            for resource, limit in limits
        )

    def _evaluate(self, vm: SupervisedVm, key: str) -> None:
        """Settle the operations that the last report, or a time limit, decides."""
        report, now = vm.report, self._now().timestamp()
        vm.evaluated = report
        with self._store.writing() as session:
            machine = session.find(key)
            if machine is None or machine.settling == "Deleting":
                return
            if machine.private.get("generation", 0) != vm.generation:
                return
            if report:
                machine.private["report"] = report_to_json(report)
            if operation := machine.private.get("operation"):
                overdue = now > machine.private["began"] + self._pace().provisioning
                error = provisioning_error(machine, report, overdue=overdue)
                if error or (report and report.provisioning == READY):
                    # A VM whose provisioning failed stays on, as on Azure, and may still report.
                    machine.private.update(power="running", ready=error is None)
                    settle_operation(session, machine, operation, now, error)
            session.put(machine)
            if vm.goal_set_at and not machine.private.get("operation"):
                self._evaluate_extensions(session, vm, machine, now)
            self._on_settled(session, key, now)

    def _evaluate_extensions(
        self, session: Session, vm: SupervisedVm, machine: Resource, now: float
    ) -> None:
        report = vm.report
        # A report from before the goal state was set says nothing about the new extensions.
        is_current = (
            report is not None and vm.goal_set_at is not None and report.time >= vm.goal_set_at
        )
        for extension in session.list(EXTENSION, f"{machine.key}/extensions/"):
            operation = extension.private.get("operation")
            if not operation:
                continue
            overdue = now > extension.private["began"] + self._pace().extension
            current = report if is_current else None
            done = extension_done(extension, current)
            latest = current if not overdue else report
            error = (
                None if done else extension_error(extension, machine.name, latest, overdue=overdue)
            )
            if done or error:
                settle_operation(session, extension, operation, now, error)

    def _record_end(self, vm: SupervisedVm, error: Error) -> bool:
        """Record that the VM stopped; False if a reimage was requested meanwhile."""
        with self._store.writing() as session:
            machine = session.find(vm.order.id)
            newer = machine and machine.private.get("generation", 0) != vm.generation
            if newer and not self._closing.is_set():
                return False
            if machine:
                self._record_stopped(session, machine, error)
        return True

    def _record_stopped(self, session: Session, machine: Resource, error: Error) -> None:
        """Record that *machine* is off, or remove it if its deletion was requested."""
        now, key = self._now().timestamp(), machine.key
        if machine.settling == "Deleting":
            operations.finish(session, machine.private["deletion"], ended=now, status="Succeeded")
            session.remove(machine.id)
            return
        machine.private["power"] = "stopped"
        for resource in (machine, *session.list(EXTENSION, f"{key}/extensions/")):
            if operation := resource.private.get("operation"):
                settle_operation(session, resource, operation, now, error)
        session.put(machine)
        self._on_settled(session, key, now)
