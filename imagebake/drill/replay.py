"""Replay an incident: inject its faults, and create machines all the while."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from imagebake.azure.compute.machines import Machines
from imagebake.azure.model.machine import MachineRequest
from imagebake.drill.model import (
    IDENTITY,
    STORE,
    DrillImage,
    DrillPhase,
    DrillPlan,
    DrillRecord,
    FirstFailure,
    ProvisioningAttempt,
    ServiceTraffic,
)
from imagebake.kernel.errors import CloudError
from imagebake.kernel.progress import Progress, Step
from imagebake.lab.faults import IdentityState, ServiceRequest, StoreState
from imagebake.lab.ledger import DNS, OTHER, Ledger

_CONCURRENT = 32
_TAG = "imagebake-drill"


class FaultTarget(Protocol):
    """A platform whose services can be broken, and that sees the requests of its machines."""

    def set_store(self, state: StoreState) -> None:
        """Set the state of the extension store."""

    def set_identity(self, state: IdentityState) -> None:
        """Set the state of the identity service."""

    @property
    def asked(self) -> tuple[ServiceRequest, ...]:
        """Requests of machines to both services so far."""

    def ledger(self, machine_id: str) -> Ledger | None:
        """Return the network ledger of a machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillEnvironment:
    """Size, subnet and login key of the drill's machines."""

    run: str
    size: str
    subnet_id: str
    public_key: str
    patience: float = 300.0
    """Seconds to wait for the agent of a provisioned machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillServices:
    """Services that a drill acts through.

    Without an *incident* the drill injects no fault: its operator does, with the rules of a
    subnet for instance.
    """

    machines: Machines
    incident: FaultTarget | None
    now: Callable[[], dt.datetime]
    sleep: Callable[[float], None]
    progress: Progress


def replay_incident(
    plan: DrillPlan, place: DrillEnvironment, *, services: DrillServices
) -> DrillRecord:
    """Replay the incident of *plan* and return what was observed; judging it is separate.

    The hours of the incident are compressed, the boots of machines are not. The clock
    therefore stops before each change of faults until every machine is Ready or has failed, so
    that each is judged by the faults of its minute.

    Every machine is deleted and every fault removed at the end, also after an error. After a
    killed drill, the next one deletes the machines that have stopped by then.
    """
    work = _IncidentReplay(plan, place, services)
    try:
        with services.progress.step(f"Replay {plan.timeline.title}") as step:
            work.delete_leftovers()
            work.replay(step)
            return work.record()
    finally:
        work.clean()


@dataclass(slots=True)
class _IncidentReplay:
    plan: DrillPlan
    place: DrillEnvironment
    services: DrillServices
    began: dt.datetime = field(init=False)
    held: dt.timedelta = dt.timedelta(0)
    undecided: list[Future[None]] = field(default_factory=list)
    starts: dict[str, tuple[int, dt.datetime]] = field(default_factory=dict)
    attempts: list[ProvisioningAttempt] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    first_failed: ProvisioningAttempt | None = None
    witness: FirstFailure | None = None
    guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.began = self.services.now()

    @property
    def minute(self) -> float:
        """Present minute of the timeline."""
        passed = self.services.now() - self.began - self.held
        return passed.total_seconds() * self.plan.minutes_per_second

    def delete_leftovers(self) -> None:
        """Delete the stopped machines of killed drills."""
        for name in self.services.machines.stopped(_TAG):
            self.services.machines.delete(name)
        self.began = self.services.now()

    def replay(self, step: Step) -> None:
        """Run the timeline, and request machines at their minutes."""
        with ThreadPoolExecutor(_CONCURRENT, thread_name_prefix="drill") as pool:
            for minute, event in self._events():
                self._wait_until(minute)
                if isinstance(event, DrillPhase):
                    self._await_attempts()
                    self._inject_faults(event, step)
                else:
                    for candidate in self.plan.candidates:
                        self.undecided.append(pool.submit(self._attempt, candidate, minute))
                    step.note(self._status_line(minute))
            self._await_attempts()
        self._wait_until(self.plan.timeline.end)
        step.note(self._status_line(self.plan.timeline.end))
        self._inspect_first_failure()

    def record(self) -> DrillRecord:
        """Return the observations so far."""
        return DrillRecord(
            plan=self.plan,
            began=self.began,
            attempts=tuple(self.attempts),
            traffic=tuple(self._traffic()),
            witness=self.witness,
        )

    def clean(self) -> None:
        """Remove every fault and delete every remaining machine."""
        if self.services.incident:
            self.services.incident.set_store(StoreState.UP)
            self.services.incident.set_identity(IdentityState.UP)
        for name in sorted(self.running):
            self.services.machines.delete(name)

    def _events(self) -> Iterator[tuple[int, DrillPhase | None]]:
        """Yield phases, and requests as None, by minute; a phase precedes a request."""
        line = self.plan.timeline
        phases: list[tuple[int, DrillPhase | None]] = [
            (phase.start, phase) for phase in line.phases
        ]
        demands: list[tuple[int, DrillPhase | None]] = [(minute, None) for minute in line.demands]
        # False sorts first: at the same minute a phase precedes a request.
        return iter(sorted(phases + demands, key=lambda event: (event[0], event[1] is None)))

    def _wait_until(self, minute: float) -> None:
        left = (minute - self.minute) / self.plan.minutes_per_second
        if left > 0:
            self.services.sleep(left)

    def _await_attempts(self) -> None:
        """Stop the clock until every machine so far is Ready or has failed."""
        stopped = self.services.now()
        for future in self.undecided:
            future.result()
        self.undecided.clear()
        self.held += self.services.now() - stopped

    def _inject_faults(self, phase: DrillPhase, step: Step) -> None:
        if self.services.incident:
            self.services.incident.set_store(phase.store)
            self.services.incident.set_identity(phase.identity)
        store = "up" if phase.store is StoreState.UP else phase.store.value
        identity = "up" if phase.identity is IdentityState.UP else phase.identity.value
        clock = self.plan.timeline.clock(phase.start)
        step.note(f"{clock}  {phase.name} (store {store}, identity {identity})")

    def _status_line(self, minute: float) -> str:
        """Return the counts so far, for people who watch."""
        with self.guard:
            ready = Counter(attempt.label for attempt in self.attempts if attempt.ready)
            failed = Counter(attempt.label for attempt in self.attempts if not attempt.ready)
            parts = [
                f"{image.label:6} {self.asked[image.label]:3} asked {ready[image.label]:3} Ready"
                f" {failed[image.label]:3} failed"
                for image in self.plan.candidates
            ]
        return f"{self.plan.timeline.clock(minute)}  " + "  |  ".join(parts)

    def _attempt(self, candidate: DrillImage, minute: int) -> None:
        """Create one machine through ARM alone, and record the result."""
        began = self.services.now()
        with self.guard:
            self.asked[candidate.label] += 1
            name = f"{self.place.run}-{candidate.label}-{self.asked[candidate.label]:02d}"
            self.running.add(name)
            self.starts[name] = minute, began
        machine_id, seconds, code, message = "", None, "", ""
        machines = self.services.machines
        try:
            machine_id = machines.create(self._wish(name, candidate))
            for extension in candidate.extensions:
                machines.extend(name, extension)
            machines.await_agent(name, limit=self.place.patience)
            seconds = round((self.services.now() - began).total_seconds(), 3)
        except CloudError as error:
            code, message = error.code, error.azure_message
        attempt = ProvisioningAttempt(
            label=candidate.label,
            name=name,
            minute=minute,
            seconds=seconds,
            code=code,
            message=message,
            downloads=self._downloads(machine_id),
        )
        # One failed machine is kept to the end: does it recover without an operator?
        if not self._record_attempt(attempt, bool(machine_id)):
            machines.delete(name)
            with self.guard:
                self.running.discard(name)

    def _record_attempt(self, attempt: ProvisioningAttempt, provisioned: bool) -> bool:  # noqa: FBT001 - named at the call
        """Record *attempt*; return whether its machine is the first failure, which stays."""
        with self.guard:
            self.attempts.append(attempt)
            if attempt.ready or not provisioned or self.first_failed:
                return False
            self.first_failed = attempt
            return True

    def _wish(self, name: str, candidate: DrillImage) -> MachineRequest:
        return MachineRequest(
            name=name,
            version_id=candidate.version_id,
            size=self.place.size,
            subnet_id=self.place.subnet_id,
            public_key=self.place.public_key,
            tags={_TAG: self.place.run},
        )

    def _downloads(self, machine_id: str) -> int | None:
        """Count the requests of a machine to anything but its platform."""
        ledger = self.services.incident.ledger(machine_id) if self.services.incident else None
        if ledger is None:
            return None
        # The kernel's counters see every packet, the entries only those that could be attributed.
        counted = ledger.counters.get(DNS, 0) + ledger.counters.get(OTHER, 0)
        return max(counted, len(ledger.entries))

    def _inspect_first_failure(self) -> None:
        """Record whether the first machine that failed has recovered, untouched."""
        if failed := self.first_failed:
            view = self.services.machines.view(failed.name)
            broken = next((handler for handler in view.handlers if not handler.ready), None)
            self.witness = FirstFailure(
                name=failed.name,
                minute=failed.minute,
                # A view without handlers is that of a machine whose extension never arrived.
                healed=view.ready and bool(view.handlers),
                message=broken.message if broken else view.agent_message,
            )

    def _traffic(self) -> Iterator[ServiceTraffic]:
        asked = self.services.incident.asked if self.services.incident else ()
        for candidate in self.plan.candidates:
            for service in (STORE, IDENTITY):
                mine = f"{self.place.run}-{candidate.label}-"
                minutes = Counter(
                    self._minute_of(request)
                    for request in asked
                    if request.service == service and request.machine.startswith(mine)
                )
                yield ServiceTraffic(
                    label=candidate.label, service=service, by_minute=dict(minutes)
                )

    def _minute_of(self, request: ServiceRequest) -> int:
        """Return the minute at which *request* would have come without compression."""
        minute, began = self.starts[request.machine]
        return minute + int((request.time - began).total_seconds() // 60)
