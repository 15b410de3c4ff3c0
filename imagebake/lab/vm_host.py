"""The host of local machines: it boots them, and injects faults into their services.

The emulator asks it for machines. Faults are no part of Azure's API: a rehearsal of an incident
holds the `VmHost` itself.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebake.emulator.machines.host import (
    ExtensionOrder,
    HandlerReport,
    MachineFailed,
    MachineOrder,
    MachineReport,
)
from imagebake.kernel.errors import ImagebakeError
from imagebake.lab.boot.boot import Boot
from imagebake.lab.boot.network import VmNetwork
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.fabric.exchange import RequestRecord, Service
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.fabric_settings import (
    FabricExtension,
    FabricMachine,
    GatewayMode,
    GoalState,
    IdentityFault,
    StoreMode,
)
from imagebake.lab.fabric.status import AgentStatus, HandlerStatus
from imagebake.lab.faults import IdentityState, ServiceRequest, StoreState
from imagebake.lab.ledger import Ledger

OnReport = Callable[[MachineReport], None]
Layers = Callable[[Mapping[str, Any]], AbstractContextManager[tuple[Path, ...]]]
"""Provides the directories of an image by its record, topmost first, while in use."""
_FULL = 3
_CONSOLE = 1 << 20
_VAULT = "https://vault.azure.net"
"""The resource of the sample extension's token request, as of extensions that read a vault."""


@dataclass(slots=True)
class VmHost:
    """The host of every machine of one emulator, with one extension store for all of them."""

    layers: Layers
    now: Callable[[], dt.datetime]
    store: ExtensionStore = field(default_factory=ExtensionStore)
    _versions: dict[tuple[str, str], str] = field(default_factory=dict)
    _on: dict[str, LocalVm] = field(default_factory=dict)
    _ledgers: dict[str, Ledger] = field(default_factory=dict)
    _asked: list[ServiceRequest] = field(default_factory=list)
    _store_state: StoreState = StoreState.UP
    _identity_state: IdentityState = IdentityState.UP
    _guard: threading.RLock = field(default_factory=threading.RLock)

    def publish(self, handler: str, version: str) -> None:
        """Resolve the `major.minor` of *version* to *version* in goal states from now on."""
        self._versions[handler.lower(), ".".join(version.split(".")[:2])] = version

    def boot(self, order: MachineOrder, *, on_report: OnReport) -> LocalVm:
        """Boot the image of *order* with its own init; needs root.

        Raises `MachineFailed` with Azure's code.
        """
        machine = LocalVm(self, order, on_report)
        try:
            machine.start()
        except EngineFailed as error:
            raise MachineFailed("ImageNotFound", error.message) from error
        except ImagebakeError as error:
            raise MachineFailed("AllocationFailed", str(error)) from error
        return machine

    def enter(self, machine: LocalVm) -> None:
        """Register *machine* as running, and apply the current faults to it."""
        with self._guard:
            self._on[machine.order.id] = machine
            machine.apply_faults(self._store_state, self._identity_state)

    def leave(self, machine: LocalVm, ledger: Ledger) -> None:
        """Forget *machine*, but keep its ledger."""
        with self._guard:
            self._on.pop(machine.order.id, None)
            self._ledgers[machine.order.id] = ledger

    def set_store(self, state: StoreState) -> None:
        """Set how the extension store answers all machines."""
        with self._guard:
            self._store_state = state
            self._suffer()

    def set_identity(self, state: IdentityState) -> None:
        """Set how the identity service answers all machines."""
        with self._guard:
            self._identity_state = state
            self._suffer()

    def _suffer(self) -> None:
        for machine in self._on.values():
            machine.apply_faults(self._store_state, self._identity_state)

    def note(self, order: MachineOrder, request: RequestRecord) -> None:
        """Record a request of a machine to the store or the identity service."""
        fetched = request.service is Service.GATEWAY and request.artifact
        if request.service is Service.IDENTITY or request.service is Service.STORE or fetched:
            service = "identity" if request.service is Service.IDENTITY else "store"
            with self._guard:
                self._asked.append(
                    ServiceRequest(request.time, service, order.name, request.status)
                )

    @property
    def asked(self) -> tuple[ServiceRequest, ...]:
        """All requests of machines to the store and the identity service so far."""
        with self._guard:
            return tuple(self._asked)

    def ledger(self, machine_id: str) -> Ledger | None:
        """Return the ledger of a machine, running or turned off; None if it never ran."""
        with self._guard:
            machine = self._on.get(machine_id)
            return machine.ledger() if machine else self._ledgers.get(machine_id)

    def extension(self, order: ExtensionOrder) -> FabricExtension:
        """Return the extension of a goal state for *order*, its version resolved as by Azure."""
        wanted = order.version
        full = self._versions.get((order.handler.lower(), wanted))
        missing = _FULL - len(wanted.split("."))
        return FabricExtension(
            publisher=order.publisher,
            type=order.type,
            version=full or ".".join([wanted, *["0"] * missing]),
            settings={"token": _VAULT, **order.settings},
            protected_settings=order.protected_settings,
            sequence=order.sequence,
            auto_upgrade=order.auto_upgrade,
        )


class LocalVm:
    """One machine from boot to stop: its network, its host's fabric and its processes."""

    def __init__(self, host: VmHost, order: MachineOrder, on_report: OnReport) -> None:
        self.order = order
        self._host = host
        self._on_report = on_report
        self._stack = contextlib.ExitStack()
        self._network: VmNetwork
        self._fabric: Fabric
        self._guest: Boot

    def start(self) -> None:
        """Boot; returns once process 1 runs. Raises `ImagebakeError`."""
        host, machine = self._host, _machine(self.order)
        with contextlib.ExitStack() as stack:
            layers = stack.enter_context(host.layers(self.order.image))
            self._network = stack.enter_context(VmNetwork(machine, now=host.now))
            self._fabric = stack.enter_context(
                Fabric(
                    machine,
                    listen=self._network.listen,
                    store=host.store,
                    now=host.now,
                    on_request=self._hear,
                )
            )
            host.enter(self)
            stack.callback(self._leave)
            guest = Boot(layers, self._network, vm_id=machine.vm_id, ca=self._fabric.ca)
            stack.enter_context(guest).start()
            self._guest = guest
            self._stack = stack.pop_all()

    def set_extensions(self, extensions: tuple[ExtensionOrder, ...]) -> None:
        """Give the machine a new goal state."""
        wanted = tuple(self._host.extension(order) for order in extensions)
        self._fabric.set_goal_state(GoalState(extensions=wanted))

    def apply_faults(self, store: StoreState, identity: IdentityState) -> None:
        """Apply faults to the services that the machine depends on."""
        self._fabric.set_store(StoreMode(store))
        self._fabric.set_gateway(GatewayMode.SAME)
        self._fabric.set_identity(IdentityFault(identity))
        self._network.set_silent(store is StoreState.BLACK_HOLE)

    def ledger(self) -> Ledger:
        """Return the ledger of the machine so far."""
        return self._network.ledger()

    def console(self) -> bytes:
        """Return the last output on the machine's console."""
        return self._guest.serial(_CONSOLE)

    def stop(self) -> None:
        """Power the machine off; its disk is discarded."""
        self._stack.close()

    def _leave(self) -> None:
        self._host.leave(self, self.ledger())

    def _hear(self, request: RequestRecord) -> None:
        self._network.note(request)
        self._host.note(self.order, request)
        if request.service in (Service.WIRE_SERVER, Service.GATEWAY) and request.method != "GET":
            self._on_report(
                _report(self._fabric.provisioning(), self._fabric.agent_status(), request.time)
            )


def _machine(order: MachineOrder) -> FabricMachine:
    return FabricMachine(
        vm_id=order.vm_id,
        name=order.name,
        user=order.user,
        public_key=order.public_key,
        location=order.location,
        custom_data=order.custom_data,
        user_data=order.user_data,
        size=order.size,
        tags=order.tags,
    )


def _report(
    provisioning: str | None, status: AgentStatus | None, heard: dt.datetime
) -> MachineReport:
    if status is None:
        return MachineReport(time=heard, provisioning=provisioning)
    return MachineReport(
        time=status.time,
        provisioning=provisioning,
        agent_version=status.version,
        agent_status=status.status,
        agent_message=status.message,
        handlers=tuple(_handler(handler) for handler in status.handlers),
    )


def _handler(status: HandlerStatus) -> HandlerReport:
    return HandlerReport(
        handler=status.name,
        version=status.version,
        status=status.status,
        code=status.code,
        message=status.message,
        extension=status.extension,
        extension_message=status.extension_message,
    )
