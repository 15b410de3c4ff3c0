"""What the identity service meets when a region's machines all want a token at once."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.azure.client.endpoint import Credential
from imagebake.azure.client.retry import Patience
from imagebake.azure.client.token_clients import Detour, has_token, our_credential, sdk_credential
from imagebake.drill.virtual_time import VirtualTime
from imagebake.heartbeat.history import percentile
from imagebake.kernel.progress import Progress
from imagebake.lab.fabric.exchange import RequestRecord, Service
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.plan import METADATA, IdentityFault, FabricMachine

SDK, OURS = "sdk", "imagebake"
KINDS = (SDK, OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """A storm, in seconds.

    *machines* start within *spread*, with *programs* on each that need a token. The service
    refuses everybody for *outage*, then serves *capacity* requests in a second and refuses
    what is more. A program that gives up is started again after *restart*.
    """

    machines: int = 150
    programs: int = 4
    spread: float = 10.0
    outage: float = 180.0
    capacity: int = 40
    restart: float = 10.0
    horizon: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """What one kind of client did: arrivals by second, and when each machine had its tokens."""

    kind: str
    arrivals: Mapping[int, int]
    served: tuple[float, ...]
    machines: int

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.arrivals.values())

    @property
    def peak(self) -> int:
        """The most requests in one second."""
        return max(self.arrivals.values(), default=0)

    @property
    def mean(self) -> float:
        """Requests in a second, from the first to the last."""
        seconds = max(self.arrivals) - min(self.arrivals) + 1 if self.arrivals else 1
        return self.total / seconds

    @property
    def bursts(self) -> float:
        """How much worse the worst second is than the usual one."""
        return self.peak / self.mean if self.arrivals else 0.0

    @property
    def last(self) -> float | None:
        """When the last machine had its tokens; None when one never had."""
        return max(self.served) if len(self.served) == self.machines else None

    @property
    def median(self) -> float | None:
        """When half of the machines that were served had been."""
        return percentile(self.served, 0.5)

    def to_json(self) -> dict[str, Any]:
        """The wave for programs."""
        return {
            "requests": self.total,
            "peak_per_second": self.peak,
            "mean_per_second": round(self.mean, 2),
            "peak_to_mean": round(self.bursts, 2),
            "machines_served": len(self.served),
            "median_seconds": self.median,
            "last_seconds": self.last,
            "arrivals": {str(second): count for second, count in sorted(self.arrivals.items())},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StormRecord:
    """Both kinds of clients in the same storm."""

    plan: StormPlan
    waves: tuple[Wave, ...]

    def wave(self, kind: str) -> Wave:
        """What one kind of client did."""
        return next(wave for wave in self.waves if wave.kind == kind)

    @property
    def complaints(self) -> tuple[str, ...]:
        """Why ours is not the better one; empty when it is."""
        theirs, ours = self.wave(SDK), self.wave(OURS)
        return tuple(
            why
            for why, wrong in (
                (f"{ours.machines - len(ours.served)} machines never got a token", not ours.last),
                (
                    f"{ours.total} requests are no fewer than {theirs.total}",
                    ours.total >= theirs.total,
                ),
                (f"its worst second, {ours.peak}, is no better", ours.peak >= theirs.peak),
                (
                    f"the last machine had its token after {ours.last or math.inf:.0f} s, later",
                    bool(ours.last and theirs.last and ours.last > theirs.last + self.plan.outage),
                ),
            )
            if wrong
        )

    def to_json(self) -> dict[str, Any]:
        """The record for programs."""
        plan = {name: getattr(self.plan, name) for name in self.plan.__dataclass_fields__}
        waves = {wave.kind: wave.to_json() for wave in self.waves}
        return {"plan": plan, "waves": waves, "complaints": list(self.complaints)}


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

    def _note(self, request: RequestRecord) -> None:
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
            FabricMachine(vm_id="00000000-0000-0000-0000-000000000001"),
            listen=listen,
            store=ExtensionStore(),
            now=lambda: self.began + dt.timedelta(seconds=self.time.now),
            on_request=self._note,
        )
        with fabric:
            yield fabric, ports[METADATA]
