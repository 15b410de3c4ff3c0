"""Provision a throw-away machine per target, time its phases, and delete it again."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from imagebake.azure.client.retry import RetryClock
from imagebake.azure.compute.machines import Machines
from imagebake.azure.model.machine import MachineRequest
from imagebake.heartbeat.health_script import (
    IDENTITY_HOST,
    CheckReport,
    health_script,
    read_reports,
)
from imagebake.heartbeat.model import (
    AGENT,
    CREATE,
    HANDLER,
    READY,
    SCRIPT,
    TOKEN,
    Beat,
    NetworkRequests,
    Phase,
)
from imagebake.heartbeat.targets import Target
from imagebake.kernel.errors import CloudError, ImagebakeError
from imagebake.kernel.progress import Progress, Step
from imagebake.lab.ledger import DNS, OTHER, Ledger

TAG = "imagebake-heartbeat"
"""Tag of a machine: the time after which any run may delete it, and the process that owns it."""
_CONCURRENT = 32
_GRACE = dt.timedelta(minutes=30)
_HOST = re.compile(r"https?://([A-Za-z0-9.-]+)")
_PLATFORM_HOSTS = ("168.63.129.16", IDENTITY_HOST, "aka.ms")
"""Hosts that only relay another host's refusal, or that Azure's messages link to as help."""
_NOT_REPORTED = "NotReported"
_OUR_MISTAKE = "OurMistake"
_CONSOLE_POLL_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatRun:
    """One run of a heartbeat: its unique name, and how it creates machines.

    *owner* is the process, as `ProcessIdentity` spells it. *subnet* returns the subnet id of a
    region; it should deny outbound internet access.
    """

    run: str
    owner: str
    subnet: Callable[[str], str]
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatServices:
    """Services that a heartbeat acts through.

    *ledger* returns the network ledger of a machine id; it is None in Azure, which keeps none.
    *orphaned* returns whether the process of that name has certainly ended.
    """

    machines: Machines
    ledger: Callable[[str], Ledger | None] | None
    orphaned: Callable[[str], bool]
    now: Callable[[], dt.datetime]
    patience: RetryClock
    progress: Progress


def provision_machines(
    targets: Sequence[Target], run: HeartbeatRun, *, services: HeartbeatServices
) -> tuple[Beat, ...]:
    """Provision a machine for each of *targets* concurrently; return their beats in that order.

    A failure is recorded in its beat and does not affect the others. Every machine is deleted
    with its disk and network interface; machines left by killed runs are deleted first.
    """
    work = _HeartbeatWorker(run, services)
    title = f"Beat in {len({target.region for target in targets})} regions"
    with services.progress.step(title, total=len(targets)) as step:
        work.delete_leftovers(step)
        with ThreadPoolExecutor(_CONCURRENT, thread_name_prefix="beat") as pool:
            try:
                futures = [
                    pool.submit(work.beat, target, number, step)
                    for number, target in enumerate(targets)
                ]
                return tuple(future.result() for future in futures)
            except BaseException:
                # Ctrl-C: the threads still delete their machines, but wait for nothing more.
                work.interrupted.set()
                raise


class _PhaseFailedError(Exception):
    """A phase failed and is recorded; the phases after it make no sense."""


@dataclass(slots=True)
class _HeartbeatWorker:
    run: HeartbeatRun
    services: HeartbeatServices
    interrupted: threading.Event = field(default_factory=threading.Event)

    def delete_leftovers(self, step: Step) -> None:
        """Delete the machines of runs that have ended; report failures as notes only."""
        machines = self.services.machines
        try:
            tagged = machines.tagged(TAG)
        except CloudError as error:
            step.note(f"leftovers of earlier beats are not known: {error.azure_message}")
            return
        stale = [name for name, tag in tagged.items() if self._stale(tag)]

        def delete(name: str) -> str:
            try:
                machines.delete(name)
            except CloudError as error:
                return f"{name} was left by an earlier beat and stays: {error.azure_message}"
            return f"deleted {name}, which an earlier beat had left"

        with ThreadPoolExecutor(_CONCURRENT) as pool:
            for note in pool.map(delete, stale):
                step.note(note)

    def _stale(self, tag: str) -> bool:
        until, _, owner = tag.partition(" ")
        try:
            expired = self.services.now() > dt.datetime.fromisoformat(until)
            return expired or self.services.orphaned(owner)
        except (TypeError, ValueError):  # a tag that is not ours: keep the machine
            return False

    def beat(self, target: Target, number: int, step: Step) -> Beat:
        """Create, observe and delete one machine."""
        machine = _BeatMachine(self, target, f"beat-{self.run.run.rpartition('-')[2]}-{number}")
        began = self.services.now()
        try:
            with contextlib.suppress(_PhaseFailedError):
                machine.run_phases()
        except Exception as error:  # noqa: BLE001 - one region's failure never hides another's
            machine.phases.append(Phase(_OUR_MISTAKE, 0.0, type(error).__name__, str(error)))
        finally:
            requests = machine.requests()
            cleanup_error = machine.delete()
        beat = Beat(
            id=f"{self.run.run}-{number}",
            image=target.image,
            version=target.version,
            version_id=target.version_id,
            published=target.published,
            region=target.region,
            rings=target.rings,
            label=target.label,
            began=began,
            phases=tuple(machine.phases),
            requests=requests,
            cleanup_error=cleanup_error,
        )
        failed = beat.failure
        result = f"{failed.name} failed: {failed.code}" if failed else "good"
        step.advance(f"{target.region} {target.label}")
        step.note(f"{target.region} {target.label} {target.image}@{target.version}: {result}")
        return beat


@dataclass(slots=True)
class _BeatMachine:
    """One machine and the phases that it has gone through."""

    work: _HeartbeatWorker
    target: Target
    name: str
    phases: list[Phase] = field(default_factory=list)
    deadline: float = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = self._clock() + self.target.timeout

    def run_phases(self) -> None:
        """Run the phases up to the first that fails; raises `_PhaseFailedError` there.

        The machine checks its token and health by itself meanwhile, so these two phases are
        recorded even after an extension handler has failed.
        """
        machines, target = self.work.services.machines, self.target
        with self._phase(CREATE):
            wait = machines.order(self._wish())
        with self._phase(READY):
            wait(self._seconds_left())
        with self._phase(AGENT):
            machines.await_agent(self.name, limit=self._seconds_left())
        with contextlib.suppress(_PhaseFailedError):
            for wish in target.extensions:
                with self._phase(HANDLER + wish.handler):
                    left = self._seconds_left()
                    machines.extend(self.name, wish, location=target.region, limit=left)
        self._record_reports()

    def requests(self) -> NetworkRequests | None:
        """Summarise the machine's ledger."""
        ledger = self._ledger()
        if ledger is None:
            return None
        # The kernel's counters see every packet; the entries may name fewer, or more per packet.
        counted = ledger.counters.get(DNS, 0) + ledger.counters.get(OTHER, 0)
        return NetworkRequests(max(counted, len(ledger.entries)), ledger.names[:10])

    def delete(self) -> str:
        """Delete the machine; return why it could not be deleted, or an empty text."""
        try:
            self.work.services.machines.delete(self.name)
        except ImagebakeError as error:
            return str(error)
        return ""

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        """Time the block and record it as a phase; raise `_PhaseFailedError` on a `CloudError`."""
        began = self._clock()
        try:
            yield
        except CloudError as error:
            code, message = error.code or type(error).__name__, error.azure_message
            seconds = round(self._clock() - began, 3)
            host = self._failed_host(name, message)
            self.phases.append(Phase(name, seconds, code, message, host))
            raise _PhaseFailedError from error
        self.phases.append(Phase(name, round(self._clock() - began, 3)))

    def _record_reports(self) -> None:
        """Record the token and health checks that the machine reports on its console."""
        checks = (TOKEN, SCRIPT) if self.target.script else (TOKEN,)
        reports, trouble = self._await_reports(checks)
        for check in checks:
            if report := reports.get(check):
                code = "" if report.ok else "CheckFailed"
                host = IDENTITY_HOST if check == TOKEN and not report.ok else ""
                message = report.message if code else ""
                self.phases.append(Phase(check, report.seconds, code, message, host))
            else:
                why = trouble or "the machine's console does not say how it went"
                self.phases.append(Phase(check, 0.0, _NOT_REPORTED, why))

    def _await_reports(self, checks: Sequence[str]) -> tuple[dict[str, CheckReport], str]:
        """Poll the console until all *checks* are reported or time is up.

        Returns the reports by check, and why the console could not be read last, if so.
        """
        services = self.work.services
        machines = services.machines
        pause = min(_CONSOLE_POLL_SECONDS, 4 * machines.clients.endpoint.polling_seconds)
        reports: dict[str, CheckReport] = {}
        trouble = ""
        while True:
            try:
                reports, trouble = read_reports(machines.console(self.name), self.name), ""
            except CloudError as error:
                trouble = error.azure_message
            if set(checks) <= set(reports) or not self._seconds_left():
                return reports, trouble
            services.patience.sleep(pause)

    def _wish(self) -> MachineRequest:
        run, target = self.work.run, self.target
        until = self.work.services.now() + dt.timedelta(seconds=target.timeout) + _GRACE
        return MachineRequest(
            name=self.name,
            version_id=target.version_id,
            size=target.size,
            subnet_id=run.subnet(target.region),
            public_key=run.public_key,
            location=target.region,
            script=health_script(target.script, self.name),
            console=True,
            identity=True,
            tags={TAG: f"{until.isoformat(timespec='seconds')} {run.owner}"},
        )

    def _failed_host(self, phase: str, message: str) -> str:
        """Return the host that refused a handler: the ledger's last, else the message's first."""
        ledger = self._ledger() if phase.startswith(HANDLER) else None
        refused = [
            entry.host
            for entry in (ledger.entries if ledger else ())
            if entry.host not in _PLATFORM_HOSTS and not entry.answer.startswith("2")
        ]
        named = [host for host in _HOST.findall(message) if host not in _PLATFORM_HOSTS]
        return next(iter([*reversed(refused), *named]), "")

    def _ledger(self) -> Ledger | None:
        look_up = self.work.services.ledger
        return look_up(self.work.services.machines.id_of(self.name)) if look_up else None

    def _clock(self) -> float:
        return self.work.services.patience.clock()

    def _seconds_left(self) -> float:
        """Seconds until the target's timeout; none once the run was interrupted."""
        if self.work.interrupted.is_set():
            return 0.0
        return max(0.0, self.deadline - self._clock())
