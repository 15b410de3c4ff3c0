"""Beat: make a throw-away machine in every region, time all that it goes through, delete it."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from imagebake.azure.client.retry import Patience
from imagebake.azure.compute.machines import Machines
from imagebake.azure.model.machine import MachineWish
from imagebake.heartbeat.health_script import IDENTITY_HOST, Report, health_script, read_reports
from imagebake.heartbeat.model import (
    AGENT,
    CREATE,
    HANDLER,
    READY,
    SCRIPT,
    TOKEN,
    Asked,
    Beat,
    Phase,
    Target,
)
from imagebake.kernel.errors import CloudError, ImagebakeError
from imagebake.kernel.progress import Progress, Step
from imagebake.lab.ledger import DNS, OTHER, Ledger

TAG = "imagebake-heartbeat"
"""Until when a machine may live, and whose it is: after that, anybody may delete it."""
_AT_ONCE = 32
_GRACE = dt.timedelta(minutes=30)
_HOST = re.compile(r"https?://([A-Za-z0-9.-]+)")
_PLATFORM = ("168.63.129.16", IDENTITY_HOST, "aka.ms")
"""Hosts that pass on what others refused, or that Azure's messages refer readers to."""
_UNREPORTED = "NotReported"
_OURS = "OurMistake"
_REST = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One run of beats: its name, which no other has, and how its machines are made.

    *owner* is the process, as `Presence` spells it. *subnet* is where the machines of a region
    are put: one that denies the internet.
    """

    run: str
    owner: str
    subnet: Callable[[str], str]
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Everything that a beat touches the world with.

    *ledger* says what a machine asked of the network, where that can be seen. *orphaned* is
    whether the process with that name has certainly ended.
    """

    machines: Machines
    ledger: Callable[[str], Ledger | None] | None
    orphaned: Callable[[str], bool]
    now: Callable[[], dt.datetime]
    patience: Patience
    progress: Progress


def heartbeat(targets: Sequence[Target], made: Round, *, hands: Hands) -> tuple[Beat, ...]:
    """Beat once for each of *targets*, side by side, and return what became of each.

    Whatever happens to one is put down and does not hinder another. Each machine is deleted
    with all that it had; those that a killed run has left are deleted first.
    """
    work = _Work(made, hands)
    title = f"Beat in {len({one.region for one in targets})} regions"
    with hands.progress.step(title, total=len(targets)) as step:
        work.clear_away(step)
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="beat") as pool:
            try:
                begun = [
                    pool.submit(work.beat, one, number, step) for number, one in enumerate(targets)
                ]
                return tuple(one.result() for one in begun)
            except BaseException:
                work.hurry.set()
                raise


class _MissedError(Exception):
    """A phase failed, and is put down: there is no sense in the next one."""


@dataclass(slots=True)
class _Work:
    made: Round
    hands: Hands
    hurry: threading.Event = field(default_factory=threading.Event)

    def clear_away(self, step: Step) -> None:
        """Delete the machines of runs that are over; what cannot be had is only told."""
        machines = self.hands.machines
        try:
            tagged = machines.tagged(TAG)
        except CloudError as error:
            step.note(f"leftovers of earlier beats are not known: {error.said}")
            return
        stale = [name for name, tag in tagged.items() if self._stale(tag)]

        def remove(name: str) -> str:
            try:
                machines.delete(name)
            except CloudError as error:
                return f"{name} was left by an earlier beat and stays: {error.said}"
            return f"deleted {name}, which an earlier beat had left"

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for said in pool.map(remove, stale):
                step.note(said)

    def _stale(self, tag: str) -> bool:
        until, _, owner = tag.partition(" ")
        try:
            return self.hands.now() > dt.datetime.fromisoformat(until) or self.hands.orphaned(owner)
        except (TypeError, ValueError):
            return False

    def beat(self, target: Target, number: int, step: Step) -> Beat:
        """Make, watch and delete one machine."""
        one = _One(self, target, f"beat-{self.made.run.rpartition('-')[2]}-{number}")
        began = self.hands.now()
        try:
            with contextlib.suppress(_MissedError):
                one.live()
        except Exception as error:  # noqa: BLE001 - one region's failure never hides another's
            one.phases.append(Phase(_OURS, 0.0, type(error).__name__, str(error)))
        finally:
            asked = one.asked()
            resting = one.end()
        beat = Beat(
            id=f"{self.made.run}-{number}",
            image=target.image,
            version=target.version,
            version_id=target.version_id,
            published=target.published,
            region=target.region,
            rings=target.rings,
            label=target.label,
            began=began,
            phases=tuple(one.phases),
            asked=asked,
            resting=resting,
        )
        failed = beat.failure
        said = f"{failed.name} failed: {failed.code}" if failed else "good"
        step.advance(f"{target.region} {target.label}")
        step.note(f"{target.region} {target.label} {target.image}@{target.version}: {said}")
        return beat


@dataclass(slots=True)
class _One:
    """One machine on its way through the phases."""

    work: _Work
    target: Target
    name: str
    phases: list[Phase] = field(default_factory=list)
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = self._clock() + self.target.limit

    def live(self) -> None:
        """Go through all phases up to the first that fails.

        The machine checks its token and its health by itself meanwhile, so what it said is
        put down even after a handler has failed.
        """
        machines, target = self.work.hands.machines, self.target
        with self._phase(CREATE):
            wait = machines.order(self._wish())
        with self._phase(READY):
            wait(self._left())
        with self._phase(AGENT):
            machines.await_agent(self.name, limit=self._left())
        with contextlib.suppress(_MissedError):
            for wish in target.extensions:
                with self._phase(HANDLER + wish.handler):
                    machines.extend(self.name, wish, location=target.region, limit=self._left())
        self._listen()

    def asked(self) -> Asked | None:
        """The summary of the machine's ledger."""
        ledger = self._ledger()
        if ledger is None:
            return None
        counted = ledger.counters.get(DNS, 0) + ledger.counters.get(OTHER, 0)
        return Asked(max(counted, len(ledger.entries)), ledger.names[:10])

    def end(self) -> str:
        """Delete the machine; what was in the way, if anything was."""
        try:
            self.work.hands.machines.delete(self.name)
        except ImagebakeError as error:
            return str(error)
        return ""

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        """Time what is done inside; a refusal is put down, and what comes next is left out."""
        began = self._clock()
        try:
            yield
        except CloudError as error:
            code, said = error.code or type(error).__name__, error.said
            seconds = round(self._clock() - began, 3)
            self.phases.append(Phase(name, seconds, code, said, self._host(name, said)))
            raise _MissedError from error
        self.phases.append(Phase(name, round(self._clock() - began, 3)))

    def _listen(self) -> None:
        """Put down what the machine says of its token and its health on its console."""
        checks = (TOKEN, SCRIPT) if self.target.script else (TOKEN,)
        told, trouble = self._reports(checks)
        for check in checks:
            if report := told.get(check):
                code = "" if report.ok else "CheckFailed"
                host = IDENTITY_HOST if check == TOKEN and not report.ok else ""
                said = report.message if code else ""
                self.phases.append(Phase(check, report.seconds, code, said, host))
            else:
                why = trouble or "the machine's console does not say how it went"
                self.phases.append(Phase(check, 0.0, _UNREPORTED, why))

    def _reports(self, checks: Sequence[str]) -> tuple[dict[str, Report], str]:
        """What is reported once all of *checks* are, or time is up; and why not, if known."""
        machines, hands = self.work.hands.machines, self.work.hands
        rest = min(_REST, 4 * machines.clients.endpoint.polling_seconds)
        told: dict[str, Report] = {}
        trouble = ""
        while True:
            try:
                told, trouble = read_reports(machines.console(self.name), self.name), ""
            except CloudError as error:
                trouble = error.said
            if set(checks) <= set(told) or not self._left():
                return told, trouble
            hands.patience.sleep(rest)

    def _wish(self) -> MachineWish:
        made, target, now = self.work.made, self.target, self.work.hands.now()
        until = now + dt.timedelta(seconds=target.limit) + _GRACE
        return MachineWish(
            name=self.name,
            version_id=target.version_id,
            size=target.size,
            subnet_id=made.subnet(target.region),
            public_key=made.public_key,
            location=target.region,
            script=health_script(target.script, self.name),
            console=True,
            identity=True,
            tags={TAG: f"{until.isoformat(timespec='seconds')} {made.owner}"},
        )

    def _host(self, phase: str, message: str) -> str:
        """The host at which a handler failed, from the machine's ledger; else from the message."""
        ledger = self._ledger() if phase.startswith(HANDLER) else None
        told = [one for one in ledger.entries if one.host not in _PLATFORM] if ledger else []
        refused = [one.host for one in told if not one.answer.startswith("2")]
        named = [one for one in _HOST.findall(message) if one not in _PLATFORM]
        return next(iter([*reversed(refused), *named]), "")

    def _ledger(self) -> Ledger | None:
        look = self.work.hands.ledger
        return look(self.work.hands.machines.id_of(self.name)) if look else None

    def _clock(self) -> float:
        return self.work.hands.patience.clock()

    def _left(self) -> float:
        """The seconds until everything has to be over; none once somebody is in a hurry."""
        return 0.0 if self.work.hurry.is_set() else max(0.0, self.deadline - self._clock())
