"""The machines of one emulator's process: one thread each, led by what the store says.

A machine's thread looks at the store, which is its only mailbox, whenever the machine
reports, somebody knocks, or a little time has passed. So what another process puts or
deletes is carried out by the process that runs the machine. That one holds a lock on a file:
whoever can take it knows that the machine is off.
"""

from __future__ import annotations

import base64
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
from imagebake.emulator.machine_host import (
    READY,
    ExtensionOrder,
    MachineFailed,
    MachineHost,
    MachineOrder,
    MachineReport,
    RunningMachine,
)
from imagebake.emulator.machine_views import (
    Error,
    extension_done,
    extension_trouble,
    os_trouble,
    report_to_json,
)
from imagebake.emulator.store import Resource, Session, Store
from imagebake.host.files import locked

MACHINE = "Microsoft.Compute/virtualMachines"
EXTENSION = "Microsoft.Compute/virtualMachines/extensions"
UNSETTLED = 1e12
"""When something settles of which nobody knows when: far in the future."""

_TICK = 0.2
_LOG = logging.getLogger(__name__)
_ENDED: Error = {
    "code": "InternalOperationError",
    "message": "The process that ran the machine ended.",
}


@dataclass(slots=True)
class _Life:
    """One machine's thread, and what it has heard since it last looked."""

    order: MachineOrder
    lock: Path
    knocked: threading.Event = field(default_factory=threading.Event)
    report: MachineReport | None = None
    judged: MachineReport | None = None
    given: tuple[ExtensionOrder, ...] = ()
    given_at: dt.datetime | None = None

    def hear(self, report: MachineReport) -> None:
        """Take note of what the machine reported."""
        self.report = report
        self.knocked.set()


class Lives:
    """Starts, leads and ends machines; *host* is None where nothing can start any."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        *,
        host: MachineHost | None,
        now: Callable[[], dt.datetime],
        pace: Callable[[], Pace],
    ) -> None:
        self._folder = folder
        self._store = store
        self.host = host
        self._now = now
        self._pace = pace
        self._closing = threading.Event()
        self._lives: dict[str, tuple[_Life, threading.Thread]] = {}

    def begin(self, machine: Resource, image: Mapping[str, object]) -> Callable[[], None]:
        """Claim *machine* for this process; call the result once it is in the store."""
        machine.private.update(owner=str(uuid.uuid4()), power="starting")
        life = _Life(_order(machine, image), self._lock(machine))
        held = contextlib.ExitStack()
        held.enter_context(locked(life.lock, wait=False))

        def live() -> None:
            with held:
                self._live(life)
                life.lock.unlink(missing_ok=True)
            self._lives.pop(machine.key, None)

        thread = threading.Thread(target=live, name=f"machine {machine.name}", daemon=True)
        self._lives[machine.key] = (life, thread)
        return thread.start

    def knock(self, machine_key: str) -> None:
        """Have the machine's thread look at the store soon, if it is in this process."""
        if found := self._lives.get(machine_key):
            found[0].knocked.set()

    def runs(self, machine: Resource) -> bool:
        """Whether some process runs *machine*."""
        if machine.key in self._lives:
            return True
        if "owner" not in machine.private:
            return False
        with locked(self._lock(machine), wait=False) as free:
            return not free

    def bury(self) -> None:
        """Say that the machines are off whose processes have died."""
        if not any(self._folder.glob("machines/*.lock")):
            return
        with self._store.reading() as session:
            machines = session.list(MACHINE, "/subscriptions/")
        for machine in machines:
            if "owner" not in machine.private:
                continue
            if machine.private["power"] in ("starting", "running") and not self.runs(machine):
                self._end(machine.key, _ENDED)
                self._lock(machine).unlink(missing_ok=True)

    def close(self) -> None:
        """Turn off the machines of this process and wait until they are."""
        self._closing.set()
        for life, thread in list(self._lives.values()):
            life.knocked.set()
            thread.join()

    def _lock(self, machine: Resource) -> Path:
        return self._folder / "machines" / f"{machine.private['owner']}.lock"

    def _live(self, life: _Life) -> None:
        key, trouble = life.order.id.lower(), _ENDED
        try:
            running = self.host.boot(life.order, on_report=life.hear) if self.host else None
            if running:
                try:
                    self._lead(life, running)
                finally:
                    running.stop()
        except MachineFailed as error:
            trouble = {"code": error.code, "message": error.message}
        except Exception as error:  # noqa: BLE001 - whatever breaks a machine, it must end
            _LOG.warning("a machine broke unexpectedly", exc_info=True)
            trouble = {"code": "InternalOperationError", "message": f"{error}"}
        self._end(key, trouble)

    def _lead(self, life: _Life, running: RunningMachine) -> None:
        """Look and act until the machine is deleted or this process ends."""
        key = life.order.id.lower()
        while not self._closing.is_set():
            with self._store.reading() as session:
                machine = session.find(key)
                wanted = _wanted(session, key)
                late = machine is not None and self._is_late(session, machine)
            if machine is None or machine.settling == "Deleting":
                return
            created = machine.state == "Succeeded" and not machine.private.get("operation")
            if created and wanted != life.given:
                life.given, life.given_at = wanted, self._now()
                running.set_extensions(wanted)
            if late or life.report is not life.judged:
                self._judge(life, key)
            life.knocked.wait(_TICK)
            life.knocked.clear()

    def _is_late(self, session: Session, machine: Resource) -> bool:
        """Whether something has been waited for too long."""
        now, pace = self._now().timestamp(), self._pace()
        extensions = session.list(EXTENSION, f"{machine.key}/extensions/")
        limits = [(machine, pace.provisioning), *((one, pace.extension) for one in extensions)]
        return any(
            one.private.get("operation") and now > one.private["began"] + limit
            for one, limit in limits
        )

    def _judge(self, life: _Life, key: str) -> None:
        """End what the machine's reports, or the time that has passed, decide."""
        report, now = life.report, self._now().timestamp()
        life.judged = report
        with self._store.writing() as session:
            machine = session.find(key)
            if machine is None or machine.settling == "Deleting":
                return
            if report:
                machine.private["report"] = report_to_json(report)
            if operation := machine.private.get("operation"):
                late = now > machine.private["began"] + self._pace().provisioning
                trouble = os_trouble(machine, report, late=late)
                if trouble or (report and report.provisioning == READY):
                    machine.private["power"] = "running"
                    _settle(session, machine, operation, now, trouble)
            session.put(machine)
            if life.given_at and not machine.private.get("operation"):
                self._judge_extensions(session, life, machine, now)

    def _judge_extensions(
        self, session: Session, life: _Life, machine: Resource, now: float
    ) -> None:
        report = life.report
        heard = report is not None and life.given_at is not None and report.time >= life.given_at
        for extension in session.list(EXTENSION, f"{machine.key}/extensions/"):
            operation = extension.private.get("operation")
            if not operation:
                continue
            late = now > extension.private["began"] + self._pace().extension
            fresh = report if heard else None
            done = extension_done(extension, fresh)
            known = fresh if not late else report
            trouble = None if done else extension_trouble(extension, machine.name, known, late=late)
            if done or trouble:
                _settle(session, extension, operation, now, trouble)

    def _end(self, key: str, trouble: Error) -> None:
        """Put down that the machine is off; forget it, when that is what was asked for."""
        now = self._now().timestamp()
        with self._store.writing() as session:
            machine = session.find(key)
            if machine is None:
                return
            if machine.settling == "Deleting":
                operations.finish(
                    session, machine.private["deletion"], ended=now, status="Succeeded"
                )
                session.remove(machine.id)
                return
            machine.private["power"] = "stopped"
            for resource in (machine, *session.list(EXTENSION, f"{machine.key}/extensions/")):
                if operation := resource.private.get("operation"):
                    _settle(session, resource, operation, now, trouble)
            session.put(machine)


def _settle(
    session: Session, resource: Resource, operation: str, now: float, trouble: Error | None
) -> None:
    """End the operation that *resource* is waiting for."""
    status = "Failed" if trouble else "Succeeded"
    operations.finish(session, operation, ended=now, status=status, error=trouble)
    resource.private.update(operation=None, error=trouble)
    resource.settles, resource.state = now, status
    session.put(resource)


def _wanted(session: Session, machine_key: str) -> tuple[ExtensionOrder, ...]:
    """The extensions that the machine shall have by now."""
    found = session.list(EXTENSION, f"{machine_key}/extensions/")
    return tuple(_extension(one) for one in found if one.settling != "Deleting")


def _extension(resource: Resource) -> ExtensionOrder:
    properties = resource.properties
    return ExtensionOrder(
        name=resource.name,
        publisher=properties["publisher"],
        type=properties["type"],
        version=properties["typeHandlerVersion"],
        auto_upgrade=bool(properties.get("autoUpgradeMinorVersion")),
        settings=properties.get("settings") or {},
        protected_settings=resource.private.get("protected"),
        sequence=resource.private["sequence"],
    )


def _order(machine: Resource, image: Mapping[str, object]) -> MachineOrder:
    properties = machine.properties
    profile = properties["osProfile"]
    linux = profile.get("linuxConfiguration") or {}
    keys = (linux.get("ssh") or {}).get("publicKeys") or [{}]
    custom = machine.private.get("custom_data")
    return MachineOrder(
        id=machine.id,
        vm_id=properties["vmId"],
        name=profile["computerName"],
        location=machine.body["location"],
        size=properties["hardwareProfile"]["vmSize"],
        image=image,
        user=profile["adminUsername"],
        public_key=str(keys[0].get("keyData", "")),
        custom_data=base64.b64decode(custom) if custom else None,
        tags=machine.body["tags"],
    )
