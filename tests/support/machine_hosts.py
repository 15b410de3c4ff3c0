"""A host whose machines say what a test wants, without anything being booted."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from imagebake.emulator.machines.host import (
    ExtensionOrder,
    HandlerReport,
    MachineFailed,
    MachineOrder,
    MachineReport,
)

OnReport = Callable[[MachineReport], None]


@dataclass(slots=True)
class TinyMachine:
    """Reports what its host was told to, as soon as something is asked of it."""

    host: TinyHost
    order: MachineOrder
    on_report: OnReport
    goals: list[tuple[ExtensionOrder, ...]] = field(default_factory=list)
    stopped: bool = False
    off: threading.Event = field(default_factory=threading.Event)

    def set_extensions(self, extensions: tuple[ExtensionOrder, ...]) -> None:
        self.goals.append(extensions)
        if self.host.agent_status and not self.host.silent:
            handlers = tuple(self.host.handler(one) for one in extensions)
            self.on_report(replace(self.host.report(), handlers=handlers))

    def console(self) -> bytes:
        return self.host.printed(self.order) if self.host.printed else b""

    def stop(self) -> None:
        self.stopped = True
        self.off.set()


@dataclass(slots=True)
class TinyHost:
    """Starts machines that are provisioned at once; *broken* names handlers that are not.

    *provisioning* is what cloud-init says, None for nothing; an empty *agent_status* means
    that the agent never reports. *silent* machines never say what became of their extensions.
    *failure* is raised instead of booting, and *printed* is what consoles say.
    """

    now: Callable[[], dt.datetime]
    provisioning: str | None = "Ready"
    agent_status: str = "Ready"
    broken: dict[str, str] = field(default_factory=dict)
    own_error: dict[str, str] = field(default_factory=dict)
    failure: MachineFailed | None = None
    silent: bool = False
    printed: Callable[[MachineOrder], bytes] | None = None
    machines: list[TinyMachine] = field(default_factory=list)

    def boot(self, order: MachineOrder, *, on_report: OnReport) -> TinyMachine:
        if self.failure:
            raise self.failure
        machine = TinyMachine(self, order, on_report)
        self.machines.append(machine)
        on_report(self.report())
        return machine

    def report(self) -> MachineReport:
        """What every machine says without extensions."""
        return MachineReport(
            time=self.now(),
            provisioning=self.provisioning,
            agent_version="2.7.3.0" if self.agent_status else "",
            agent_status=self.agent_status,
            agent_message="Guest Agent is running" if self.agent_status else "",
        )

    def handler(self, extension: ExtensionOrder) -> HandlerReport:
        """What a machine says of *extension*."""
        name, version = extension.handler, f"{extension.version}.9"
        if why := self.broken.get(name):
            return HandlerReport(
                handler=name, version=version, status="NotReady", code=-1, message=why
            )
        wrong = self.own_error.get(name)
        return HandlerReport(
            handler=name,
            version=version,
            status="Ready",
            extension="error" if wrong else "success",
            extension_message=wrong or "hello",
        )
