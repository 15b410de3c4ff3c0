"""Simulation of the token-request storm after an outage of the identity service."""

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
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.client.token_clients import (
    ImdsRedirectPolicy,
    has_token,
    our_credential,
    sdk_credential,
)
from imagebake.drill.virtual_time import VirtualTime
from imagebake.heartbeat.history import percentile
from imagebake.kernel.progress import Progress
from imagebake.lab.fabric.exchange import RequestRecord, Service
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.fabric_settings import METADATA, FabricMachine, IdentityFault

SDK, OURS = "sdk", "imagebake"
KINDS = (SDK, OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """Parameters of a storm, in seconds.

    *machines* start within *spread*, with *programs* on each that need a token. The service
    refuses every request during *outage*, then serves *capacity* requests per second and
    refuses the rest. A program that gives up is restarted after *restart*.
    """

    machines: int = 150
    programs: int = 4
    spread: float = 10.0
    outage: float = 180.0
    capacity: int = 40
    restart: float = 10.0
    horizon: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientWave:
    """Behaviour of one kind of client: arrivals by second, and when each machine had its tokens."""

    kind: str
    arrivals: Mapping[int, int]
    served: tuple[float, ...]
    machines: int

    @property
    def total(self) -> int:
        """Number of requests."""
        return sum(self.arrivals.values())

    @property
    def peak(self) -> int:
        """Highest number of requests in a second."""
        return max(self.arrivals.values(), default=0)

    @property
    def mean(self) -> float:
        """Requests per second, from the first to the last."""
        seconds = max(self.arrivals) - min(self.arrivals) + 1 if self.arrivals else 1
        return self.total / seconds

    @property
    def bursts(self) -> float:
        """Ratio of the worst second to the mean."""
        return self.peak / self.mean if self.arrivals else 0.0

    @property
    def last(self) -> float | None:
        """When the last machine had its tokens; None when one never had."""
        return max(self.served) if len(self.served) == self.machines else None

    @property
    def median(self) -> float | None:
        """When half of the machines that were served had their tokens."""
        return percentile(self.served, 0.5)

    def to_json(self) -> dict[str, Any]:
        """Return the wave for `--json`."""
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
    waves: tuple[ClientWave, ...]

    def wave(self, kind: str) -> ClientWave:
        """Return the wave of one kind of client."""
        return next(wave for wave in self.waves if wave.kind == kind)

    @property
    def complaints(self) -> tuple[str, ...]:
        """Reasons why imagebake's client is not the better one; empty when it is."""
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
        """Return the record for `--json`."""
        plan = {name: getattr(self.plan, name) for name in self.plan.__dataclass_fields__}
        waves = {wave.kind: wave.to_json() for wave in self.waves}
        return {"plan": plan, "waves": waves, "complaints": list(self.complaints)}


def simulate_token_storm(
    plan: StormPlan, *, seed: int, now: Callable[[], dt.datetime], progress: Progress
) -> StormRecord:
    """Run *plan* with each kind of client; the same *seed* gives the same storm."""
    waves = []
    for kind in (SDK, OURS):
        with progress.step(f"Let {plan.machines} machines ask for tokens, with {kind}") as step:
            waves.append(_StormSimulation(plan, kind, random.Random(seed), now()).wave())  # noqa: S311 - jitter, no secret
            step.note(f"{waves[-1].total} requests, {waves[-1].peak} in the worst second")
    return StormRecord(plan=plan, waves=tuple(waves))


@dataclass(slots=True)
class _StormSimulation:
    plan: StormPlan
    kind: str
    rng: random.Random
    began: dt.datetime
    time: VirtualTime = field(default_factory=VirtualTime)
    arrivals: Counter[int] = field(default_factory=Counter)
    served: list[float] = field(default_factory=list)
    missing: Counter[int] = field(default_factory=Counter)

    def wave(self) -> ClientWave:
        """Run the storm from its first request to its last."""
        with self._service() as (fabric, port):
            transport = ImdsRedirectPolicy(
                port, sleep=self.time.sleep, before=lambda: self._admit(fabric)
            )
            try:
                for machine in range(self.plan.machines):
                    self._start(machine, transport)
                self.time.run(self.plan.horizon)
            finally:
                transport.end()
        return ClientWave(
            kind=self.kind,
            arrivals=dict(self.arrivals),
            served=tuple(self.served),
            machines=self.plan.machines,
        )

    def _start(self, machine: int, transport: ImdsRedirectPolicy) -> None:
        """Start the programs of one machine; imagebake's share the token of one."""
        start = self.rng.random() * self.plan.spread
        # imagebake's processes share a token cache on the machine; the SDK's each have their own.
        askers = 1 if self.kind == OURS else self.plan.programs
        self.missing[machine] = askers
        for _ in range(askers):
            self.time.spawn(start, lambda: self._program(machine, transport))

    def _program(self, machine: int, transport: ImdsRedirectPolicy) -> None:
        """Request a token until there is one; after giving up, start again without state."""
        while not has_token(self._credential(transport)):
            self.time.sleep(self.plan.restart)
        self.missing[machine] -= 1
        if not self.missing[machine]:
            self.served.append(round(self.time.now, 1))

    def _credential(self, transport: ImdsRedirectPolicy) -> Credential:
        if self.kind == SDK:
            return sdk_credential(transport)
        patience = RetryClock(clock=self.time.clock, sleep=self.time.sleep, jitter=self.rng.random)
        return our_credential(transport, patience)

    def _admit(self, fabric: Fabric) -> None:
        """Set whether the service refuses or serves the next request."""
        busy = self.arrivals[int(self.time.now)] >= self.plan.capacity
        down = self.time.now < self.plan.outage
        fabric.set_identity(IdentityFault.THROTTLED if busy or down else IdentityFault.NONE)

    def _count(self, request: RequestRecord) -> None:
        if request.service is Service.IDENTITY:
            self.arrivals[int(self.time.now)] += 1

    @contextlib.contextmanager
    def _service(self) -> Iterator[tuple[Fabric, int]]:
        """Serve the fabric of one machine on loopback; yield it and its identity service's port."""
        ports: dict[tuple[str, int], int] = {}

        def listen(address: str, port: int) -> socket.socket:
            # Any free port: the platform's own addresses do not exist on this machine.
            opened = socket.create_server(("127.0.0.1", 0))
            ports[address, port] = opened.getsockname()[1]
            return opened

        fabric = Fabric(
            FabricMachine(vm_id="00000000-0000-0000-0000-000000000001"),
            listen=listen,
            store=ExtensionStore(),
            now=lambda: self.began + dt.timedelta(seconds=self.time.now),
            on_request=self._count,
        )
        with fabric:
            yield fabric, ports[METADATA]
