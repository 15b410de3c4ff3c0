"""Let a region's machines ask for tokens while nobody hands any out, with two kinds of clients.

The clients are the real ones and every request is sent; only the waits between two requests
pass in virtual time, so that half an hour of thousands of programs takes seconds.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from imagebake.azure.endpoint import Credential
from imagebake.azure.retry import Patience
from imagebake.azure.token_clients import Detour, has_token, our_credential, sdk_credential
from imagebake.host.virtual_time import VirtualTime
from imagebake.kernel.progress import Progress
from imagebake.lab.fabric.exchange import Request, Service
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.plan import METADATA, IdentityFault, Machine
from imagebake.model.storm import OURS, SDK, StormPlan, StormRecord, Wave


def storm(
    plan: StormPlan, *, seed: int, now: Callable[[], dt.datetime], progress: Progress
) -> StormRecord:
    """Carry out *plan* with each kind of client; the same *seed* gives the same storm."""
    waves = []
    for kind in (SDK, OURS):
        with progress.step(f"Let {plan.machines} machines ask for tokens, with {kind}") as step:
            waves.append(_Storm(plan, kind, random.Random(seed), now()).wave())  # noqa: S311 - dice
            step.note(f"{waves[-1].total} requests, {waves[-1].peak} in the worst second")
    return StormRecord(plan=plan, waves=tuple(waves))


@dataclass(slots=True)
class _Storm:
    plan: StormPlan
    kind: str
    dice: random.Random
    began: dt.datetime
    time: VirtualTime = field(default_factory=VirtualTime)
    arrivals: Counter[int] = field(default_factory=Counter)
    served: list[float] = field(default_factory=list)
    missing: Counter[int] = field(default_factory=Counter)

    def wave(self) -> Wave:
        """The storm from its first request to its last."""
        with self._service() as (fabric, port):
            transport = Detour(port, sleep=self.time.sleep, before=lambda: self._admit(fabric))
            try:
                for machine in range(self.plan.machines):
                    self._start(machine, transport)
                self.time.run(self.plan.horizon)
            finally:
                transport.end()
        return Wave(
            kind=self.kind,
            arrivals=dict(self.arrivals),
            served=tuple(self.served),
            machines=self.plan.machines,
        )

    def _start(self, machine: int, transport: Detour) -> None:
        """Have the programs of one machine begin; ours share what one of them fetches."""
        start = self.dice.random() * self.plan.spread
        askers = 1 if self.kind == OURS else self.plan.programs
        self.missing[machine] = askers
        for _ in range(askers):
            self.time.spawn(start, lambda: self._program(machine, transport))

    def _program(self, machine: int, transport: Detour) -> None:
        """Ask until there is a token; who gives up is started again, knowing nothing."""
        while not has_token(self._credential(transport)):
            self.time.sleep(self.plan.restart)
        self.missing[machine] -= 1
        if not self.missing[machine]:
            self.served.append(round(self.time.now, 1))

    def _credential(self, transport: Detour) -> Credential:
        if self.kind == SDK:
            return sdk_credential(transport)
        patience = Patience(clock=self.time.clock, sleep=self.time.sleep, dice=self.dice.random)
        return our_credential(transport, patience)

    def _admit(self, fabric: Fabric) -> None:
        """Have the service refuse the next request, or serve it."""
        busy = self.arrivals[int(self.time.now)] >= self.plan.capacity
        down = self.time.now < self.plan.outage
        fabric.set_identity(IdentityFault.THROTTLED if busy or down else IdentityFault.NONE)

    def _note(self, request: Request) -> None:
        if request.service is Service.IDENTITY:
            self.arrivals[int(self.time.now)] += 1

    @contextlib.contextmanager
    def _service(self) -> Iterator[tuple[Fabric, int]]:
        """The fabric of one machine on loopback, and the port of its identity service."""
        ports: dict[tuple[str, int], int] = {}

        def listen(address: str, port: int) -> socket.socket:
            opened = socket.create_server(("127.0.0.1", 0))
            ports[address, port] = opened.getsockname()[1]
            return opened

        fabric = Fabric(
            Machine(vm_id="00000000-0000-0000-0000-000000000001"),
            listen=listen,
            store=ExtensionStore(),
            now=lambda: self.began + dt.timedelta(seconds=self.time.now),
            on_request=self._note,
        )
        with fabric:
            yield fabric, ports[METADATA]
