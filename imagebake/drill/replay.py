"""Replay an incident: break what machines download from, and ask for machines all the while."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from imagebake.azure.compute.machines import Machines
from imagebake.azure.model.machine import MachineWish
from imagebake.drill.model import (
    IDENTITY,
    STORE,
    Attempt,
    Candidate,
    DrillPlan,
    DrillRecord,
    Phase,
    Traffic,
    Witness,
)
from imagebake.kernel.errors import CloudError
from imagebake.kernel.progress import Progress, Step
from imagebake.lab.faults import ServiceRequest, IdentityState, StoreState
from imagebake.lab.ledger import DNS, OTHER, Ledger

_AT_ONCE = 32
_TAG = "imagebake-drill"


class Incident(Protocol):
    """Who can break what machines depend on, and sees what they ask of it."""

    def set_store(self, state: StoreState) -> None:
        """Break the extension store, or mend it."""

    def set_identity(self, state: IdentityState) -> None:
        """Break the identity service, or mend it."""

    @property
    def asked(self) -> tuple[ServiceRequest, ...]:
        """Everything that machines asked of the two so far."""

    def ledger(self, machine_id: str) -> Ledger | None:
        """What a machine has asked of the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the machines of a drill are put, and who may log in to them."""

    run: str
    size: str
    subnet_id: str
    public_key: str
    patience: float = 300.0
    """For how many seconds the agent of a provisioned machine is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Everything that a drill touches the world with.

    Without an *incident* nothing is broken by us: whoever runs the drill does that, by the
    rules of a subnet for instance.
    """

    machines: Machines
    incident: Incident | None
    now: Callable[[], dt.datetime]
    sleep: Callable[[float], None]
    progress: Progress


def drill(plan: DrillPlan, place: Place, *, hands: Hands) -> DrillRecord:
    """Carry out *plan* and return what was seen; judging that is not done here.

    The hours are compressed and the machines are not. So that each is judged by the world
    that it was asked for in, the clock stands still before the world changes, until it is
    decided what becomes of every machine. What they ask of the two services is put down as
    long after their minute as it took them.

    Every machine is deleted in the end, however the drill ends, and nothing stays broken.
    Where it was killed, the next drill deletes the machines that are off by then.
    """
    work = _Drill(plan, place, hands)
    try:
        with hands.progress.step(f"Replay {plan.timeline.title}") as step:
            work.clear_away()
            work.replay(step)
            return work.record()
    finally:
        work.clean()


@dataclass(slots=True)
class _Drill:
    plan: DrillPlan
    place: Place
    hands: Hands
    began: dt.datetime = field(init=False)
    held: dt.timedelta = dt.timedelta(0)
    undecided: list[Future[None]] = field(default_factory=list)
    starts: dict[str, tuple[int, dt.datetime]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    there: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    first_failed: Attempt | None = None
    witness: Witness | None = None
    guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.began = self.hands.now()

    @property
    def minute(self) -> float:
        """The minute of the timeline that it is now."""
        passed = self.hands.now() - self.began - self.held
        return passed.total_seconds() * self.plan.minutes_per_second

    def clear_away(self) -> None:
        """Delete what a drill that was killed has left and nobody runs any more."""
        for name in self.hands.machines.stopped(_TAG):
            self.hands.machines.delete(name)
        self.began = self.hands.now()

    def replay(self, step: Step) -> None:
        """Let the timeline pass, and ask for machines at their minutes."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="drill") as pool:
            for minute, event in self._events():
                self._wait_until(minute)
                if isinstance(event, Phase):
                    self._hold()
                    self._break(event, step)
                else:
                    for one in self.plan.candidates:
                        self.undecided.append(pool.submit(self._attempt, one, minute))
                    step.note(self._line(minute))
            self._hold()
        self._wait_until(self.plan.timeline.end)
        step.note(self._line(self.plan.timeline.end))
        self._look_at_witness()

    def record(self) -> DrillRecord:
        """What was seen so far."""
        return DrillRecord(
            plan=self.plan,
            began=self.began,
            attempts=tuple(self.attempts),
            traffic=tuple(self._traffic()),
            witness=self.witness,
        )

    def clean(self) -> None:
        """Mend everything and delete every machine that is still there."""
        if self.hands.incident:
            self.hands.incident.set_store(StoreState.UP)
            self.hands.incident.set_identity(IdentityState.UP)
        for name in sorted(self.there):
            self.hands.machines.delete(name)

    def _events(self) -> Iterator[tuple[int, Phase | None]]:
        """Phases, and demands as None, by minute; a phase comes before a demand."""
        line = self.plan.timeline
        phases: list[tuple[int, Phase | None]] = [(one.start, one) for one in line.phases]
        demands: list[tuple[int, Phase | None]] = [(minute, None) for minute in line.demands]
        return iter(sorted(phases + demands, key=lambda one: (one[0], one[1] is None)))

    def _wait_until(self, minute: float) -> None:
        left = (minute - self.minute) / self.plan.minutes_per_second
        if left > 0:
            self.hands.sleep(left)

    def _hold(self) -> None:
        """Stop the clock until it is decided what becomes of every machine so far."""
        stopped = self.hands.now()
        for future in self.undecided:
            future.result()
        self.undecided.clear()
        self.held += self.hands.now() - stopped

    def _break(self, phase: Phase, step: Step) -> None:
        if self.hands.incident:
            self.hands.incident.set_store(phase.store)
            self.hands.incident.set_identity(phase.identity)
        store = "up" if phase.store is StoreState.UP else phase.store.value
        identity = "up" if phase.identity is IdentityState.UP else phase.identity.value
        clock = self.plan.timeline.clock(phase.start)
        step.note(f"{clock}  {phase.name} (store {store}, identity {identity})")

    def _line(self, minute: float) -> str:
        """How it stands, for people who watch."""
        with self.guard:
            ready = Counter(one.label for one in self.attempts if one.ready)
            failed = Counter(one.label for one in self.attempts if not one.ready)
            parts = [
                f"{one.label:6} {self.asked[one.label]:3} asked {ready[one.label]:3} Ready"
                f" {failed[one.label]:3} failed"
                for one in self.plan.candidates
            ]
        return f"{self.plan.timeline.clock(minute)}  " + "  |  ".join(parts)

    def _attempt(self, candidate: Candidate, minute: int) -> None:
        """Ask for one machine, through ARM alone, and take note of what became of it."""
        began = self.hands.now()
        with self.guard:
            self.asked[candidate.label] += 1
            name = f"{self.place.run}-{candidate.label}-{self.asked[candidate.label]:02d}"
            self.there.add(name)
            self.starts[name] = minute, began
        machine_id, seconds, code, message = "", None, "", ""
        machines = self.hands.machines
        try:
            machine_id = machines.create(self._wish(name, candidate))
            for extension in candidate.extensions:
                machines.extend(name, extension)
            machines.await_agent(name, limit=self.place.patience)
            seconds = round((self.hands.now() - began).total_seconds(), 3)
        except CloudError as error:
            code, message = error.code, error.said
        attempt = Attempt(
            label=candidate.label,
            name=name,
            minute=minute,
            seconds=seconds,
            code=code,
            message=message,
            downloads=self._downloads(machine_id),
        )
        if not self._keep(attempt, bool(machine_id)):
            machines.delete(name)
            with self.guard:
                self.there.discard(name)

    def _keep(self, attempt: Attempt, provisioned: bool) -> bool:  # noqa: FBT001 - said at the call
        """Put *attempt* down; whether its machine stays, as the first one that failed."""
        with self.guard:
            self.attempts.append(attempt)
            if attempt.ready or not provisioned or self.first_failed:
                return False
            self.first_failed = attempt
            return True

    def _wish(self, name: str, candidate: Candidate) -> MachineWish:
        return MachineWish(
            name=name,
            version_id=candidate.version_id,
            size=self.place.size,
            subnet_id=self.place.subnet_id,
            public_key=self.place.public_key,
            tags={_TAG: self.place.run},
        )

    def _downloads(self, machine_id: str) -> int | None:
        """How much a machine asked of anything but its platform."""
        ledger = self.hands.incident.ledger(machine_id) if self.hands.incident else None
        if ledger is None:
            return None
        counted = ledger.counters.get(DNS, 0) + ledger.counters.get(OTHER, 0)
        return max(counted, len(ledger.entries))

    def _look_at_witness(self) -> None:
        """See whether the first machine that failed has healed since, untouched."""
        if failed := self.first_failed:
            view = self.hands.machines.view(failed.name)
            broken = next((one for one in view.handlers if not one.ready), None)
            self.witness = Witness(
                name=failed.name,
                minute=failed.minute,
                healed=view.ready and bool(view.handlers),
                message=broken.message if broken else view.agent_message,
            )

    def _traffic(self) -> Iterator[Traffic]:
        asked = self.hands.incident.asked if self.hands.incident else ()
        for candidate in self.plan.candidates:
            for service in (STORE, IDENTITY):
                mine = f"{self.place.run}-{candidate.label}-"
                minutes = Counter(
                    self._minute_of(one)
                    for one in asked
                    if one.service == service and one.machine.startswith(mine)
                )
                yield Traffic(label=candidate.label, service=service, by_minute=dict(minutes))

    def _minute_of(self, asking: ServiceRequest) -> int:
        """The minute that *asking* would have come at had nothing been compressed."""
        minute, began = self.starts[asking.machine]
        return minute + int((asking.time - began).total_seconds() // 60)
