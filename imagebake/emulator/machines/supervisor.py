"""The machines of one emulator's process: one thread each, led by what the store says.

A machine's thread looks at the store, which is its only mailbox, whenever the machine
reports, somebody knocks, or a little time has passed. So what another process puts or
deletes is carried out by the process that runs the machine. That one holds a lock on a file:
whoever can take it knows that the machine is off.
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
from imagebake.emulator.galleries.soft_deletion import usable
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
from imagebake.emulator.machines.models import image_record
from imagebake.emulator.machines.views import (
    Error,
    extension_done,
    extension_trouble,
    os_trouble,
    report_to_json,
)
from imagebake.emulator.store import Resource, Session, Store
from imagebake.kernel.host.files import locked


@dataclass(slots=True)
class Life:
    """One machine's thread, and what it has heard since it last looked."""

    order: MachineOrder
    lock: Path
    knocked: threading.Event = field(default_factory=threading.Event)
    report: MachineReport | None = None
    judged: MachineReport | None = None
    given: tuple[ExtensionOrder, ...] = ()
    given_at: dt.datetime | None = None
    generation: int = 0
    running: RunningMachine | None = None

    def begin_anew(self, order: MachineOrder, generation: int) -> None:
        """Forget everything that a machine before this one has said."""
        self.order, self.generation = order, generation
        self.report = self.judged = self.given_at = None
        self.given = ()

    def hear(self, report: MachineReport) -> None:
        """Take note of what the machine reported."""
        self.report = report
        self.knocked.set()


def settle(
    session: Session, resource: Resource, operation: str, now: float, trouble: Error | None
) -> None:
    """End the operation that *resource* is waiting for."""
    status = "Failed" if trouble else "Succeeded"
    operations.finish(session, operation, ended=now, status=status, error=trouble)
    resource.private.update(operation=None, error=trouble)
    resource.settles, resource.state = now, status
    session.put(resource)


MACHINE = "Microsoft.Compute/virtualMachines"
INSTANCE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
UNSETTLED = 1e12
"""When something settles of which nobody knows when: far in the future."""

_TICK = 0.2
_LOG = logging.getLogger(__name__)
_ENDED: Error = {
    "code": "InternalOperationError",
    "message": "The process that ran the machine ended.",
}
_NO_IMAGE: Error = {
    "code": "GalleryImageNotFound",
    "message": "The gallery image that the machine was to be made from is gone.",
}


class Lives:
    """Starts, leads and ends machines; *host* is None where nothing can start any.

    *on_settled* is told, inside the transaction, of a machine about which something is decided.
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
        self._lives: dict[str, tuple[Life, threading.Thread]] = {}

    def begin(self, machine: Resource, image: Mapping[str, object]) -> Callable[[], None]:
        """Claim *machine* for this process; call the result once it is in the store."""
        machine.private.update(owner=str(uuid.uuid4()), power="starting")
        generation = machine.private.get("generation", 0)
        order = machine_order(machine, image)
        life = Life(order, self._lock(machine), generation=generation)
        held = contextlib.ExitStack()
        held.enter_context(locked(life.lock, wait=False))

        def live() -> None:
            with held:
                self._live(life)
                life.lock.unlink(missing_ok=True)
            if (known := self._lives.get(machine.key)) and known[0] is life:
                del self._lives[machine.key]

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

    def console(self, owner: str) -> bytes | None:
        """What the machine with that *owner* printed; None where none is on in this process."""
        running = (
            life.running for life, _ in list(self._lives.values()) if life.lock.stem == owner
        )
        found = next(running, None)
        return found.console() if found else None

    def bury(self) -> None:
        """Say that the machines are off whose processes have died."""
        if not any(self._folder.glob("machines/*.lock")):
            return
        with self._store.reading() as session:
            machines = [
                one for kind in (MACHINE, INSTANCE) for one in session.list(kind, "/subscriptions/")
            ]
        for machine in machines:
            if "owner" not in machine.private:
                continue
            if machine.private["power"] in ("starting", "running") and not self.runs(machine):
                with self._store.writing() as session:
                    if found := session.find(machine.key):
                        self._put_down(session, found, _ENDED)
                self._lock(machine).unlink(missing_ok=True)

    def close(self) -> None:
        """Turn off the machines of this process and wait until they are."""
        self._closing.set()
        for life, thread in list(self._lives.values()):
            life.knocked.set()
            thread.join()

    def _lock(self, machine: Resource) -> Path:
        return self._folder / "machines" / f"{machine.private['owner']}.lock"

    def _live(self, life: Life) -> None:
        """Run the machine, once more whenever it is to be made anew, and put down its end."""
        while True:
            trouble = self._run(life)
            if trouble is not None and self._end(life, trouble):
                return
            if not self._anew(life):
                return

    def _run(self, life: Life) -> Error | None:
        """Boot and lead the machine; why it is off, or None when it is to be made anew."""
        try:
            running = self.host.boot(life.order, on_report=life.hear) if self.host else None
            if running:
                life.running = running
                try:
                    if self._lead(life, running):
                        return None
                finally:
                    life.running = None
                    running.stop()
        except MachineFailed as error:
            return {"code": error.code, "message": error.message}
        except Exception as error:  # noqa: BLE001 - whatever breaks a machine, it must end
            _LOG.warning("a machine broke unexpectedly", exc_info=True)
            return {"code": "InternalOperationError", "message": f"{error}"}
        return _ENDED

    def _anew(self, life: Life) -> bool:
        """Get ready to boot from what the store says by now, if there is still anything."""
        with self._store.writing() as session:
            machine = session.find(life.order.id)
            if machine is None:
                return False
            image = usable(session, machine.private["image"], self._now().timestamp())
            if image is None:
                self._put_down(session, machine, _NO_IMAGE)
                return False
            order = machine_order(machine, image_record(image, session))
        life.begin_anew(order, machine.private["generation"])
        return True

    def _lead(self, life: Life, running: RunningMachine) -> bool:
        """Look and act until the machine is deleted, or this process ends; True: until anew."""
        key = life.order.id.lower()
        while not self._closing.is_set():
            with self._store.reading() as session:
                machine = session.find(key)
                wanted = wanted_extensions(session, key)
                late = machine is not None and self._is_late(session, machine)
            if machine is None or machine.settling == "Deleting":
                return False
            if machine.private.get("generation", 0) != life.generation:
                return True
            ready = machine.private.get("ready", machine.state == "Succeeded")
            if ready and not machine.private.get("operation") and wanted != life.given:
                life.given, life.given_at = wanted, self._now()
                running.set_extensions(wanted)
            if late or life.report is not life.judged:
                self._judge(life, key)
            life.knocked.wait(_TICK)
            life.knocked.clear()
        return False

    def _is_late(self, session: Session, machine: Resource) -> bool:
        """Whether something has been waited for too long."""
        now, pace = self._now().timestamp(), self._pace()
        extensions = session.list(EXTENSION, f"{machine.key}/extensions/")
        limits = [(machine, pace.provisioning), *((one, pace.extension) for one in extensions)]
        return any(
            one.private.get("operation") and now > one.private["began"] + limit
            for one, limit in limits
        )

    def _judge(self, life: Life, key: str) -> None:
        """End what the machine's reports, or the time that has passed, decide."""
        report, now = life.report, self._now().timestamp()
        life.judged = report
        with self._store.writing() as session:
            machine = session.find(key)
            if machine is None or machine.settling == "Deleting":
                return
            if machine.private.get("generation", 0) != life.generation:
                return
            if report:
                machine.private["report"] = report_to_json(report)
            if operation := machine.private.get("operation"):
                late = now > machine.private["began"] + self._pace().provisioning
                trouble = os_trouble(machine, report, late=late)
                if trouble or (report and report.provisioning == READY):
                    machine.private.update(power="running", ready=trouble is None)
                    settle(session, machine, operation, now, trouble)
            session.put(machine)
            if life.given_at and not machine.private.get("operation"):
                self._judge_extensions(session, life, machine, now)
            self._on_settled(session, key, now)

    def _judge_extensions(
        self, session: Session, life: Life, machine: Resource, now: float
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
                settle(session, extension, operation, now, trouble)

    def _end(self, life: Life, trouble: Error) -> bool:
        """Put down that the machine is off, unless it is to be made anew by now."""
        with self._store.writing() as session:
            machine = session.find(life.order.id)
            newer = machine and machine.private.get("generation", 0) != life.generation
            if newer and not self._closing.is_set():
                return False
            if machine:
                self._put_down(session, machine, trouble)
        return True

    def _put_down(self, session: Session, machine: Resource, trouble: Error) -> None:
        """Say that *machine* is off; forget it, when that is what was asked for."""
        now, key = self._now().timestamp(), machine.key
        if machine.settling == "Deleting":
            operations.finish(session, machine.private["deletion"], ended=now, status="Succeeded")
            session.remove(machine.id)
            return
        machine.private["power"] = "stopped"
        for resource in (machine, *session.list(EXTENSION, f"{key}/extensions/")):
            if operation := resource.private.get("operation"):
                settle(session, resource, operation, now, trouble)
        session.put(machine)
        self._on_settled(session, key, now)
