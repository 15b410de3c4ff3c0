"""One machine's thread: what it was told and what it has heard, and how it settles things."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from pathlib import Path

from imagebake.emulator import operations
from imagebake.emulator.machine_host import (
    ExtensionOrder,
    MachineOrder,
    MachineReport,
    RunningMachine,
)
from imagebake.emulator.machine_views import Error
from imagebake.emulator.store import Resource, Session


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
