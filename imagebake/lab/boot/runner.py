"""Run one machine through a scenario, and record the results."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

from imagebake.lab.boot import units
from imagebake.lab.boot.agent import AgentRun
from imagebake.lab.boot.boot import Boot
from imagebake.lab.boot.network import VmNetwork
from imagebake.lab.boot.scenario import FirstBoot, Moment, Scenario, StageResult, StartMethod
from imagebake.lab.boot.units import UnitState
from imagebake.lab.fabric.extension_store import ExtensionStore
from imagebake.lab.fabric.fabric import Fabric
from imagebake.lab.fabric.fabric_settings import FabricMachine, GoalState, StoreMode
from imagebake.lab.fabric.status import CLOUD_INIT, READY, AgentStatus

_LOG = "var/log/waagent.log"
_TAIL = 8000
_LOOK = 1.0


def run_scenario(
    scenario: Scenario,
    layers: Sequence[Path],
    *,
    machine: FabricMachine,
    store: ExtensionStore,
    now: Callable[[], dt.datetime],
    prepare: Callable[[Path], None] = lambda _: None,
) -> FirstBoot:
    """Run a new machine with the image of *layers* (topmost first) through *scenario*.

    *prepare* may change its root file system before it is switched on; the image itself stays as it
    is. Needs root. Nothing of the machine outlives this call or this process.
    """
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(VmNetwork(machine, now=now))
        fabric = stack.enter_context(
            Fabric(machine, listen=network.listen, store=store, now=now, on_request=network.note)
        )
        fabric.set_store(scenario.store)
        fabric.set_gateway(scenario.gateway)
        network.set_silent(scenario.store is StoreMode.BLACK_HOLE)
        guest: Boot | AgentRun
        if scenario.means is StartMethod.BOOT:
            guest = Boot(layers, network, vm_id=machine.vm_id, ca=fabric.ca)
        else:
            guest = AgentRun(layers, network, ca=fabric.ca)
        stack.enter_context(guest)
        prepare(guest.disk)
        return _ScenarioRun(scenario, guest, network, fabric, now).run()


class _ScenarioRun:
    """One machine with its network and fabric, in a scenario."""

    def __init__(
        self,
        scenario: Scenario,
        guest: Boot | AgentRun,
        network: VmNetwork,
        fabric: Fabric,
        now: Callable[[], dt.datetime],
    ) -> None:
        self.scenario, self.guest = scenario, guest
        self.network, self.fabric, self.now = network, fabric, now
        self.stages: list[StageResult] = []
        self.timers: tuple[str, ...] = ()
        self.failed: dict[str, None] = {}
        self.given_up = False
        self.journal = ""

    def run(self) -> FirstBoot:
        first, *others = self.scenario.goals
        if first.extensions:
            self.fabric.set_goal_state(first)
        began = self.now()
        self._stage(Moment.START, self.guest.start, first)
        last = first
        for last in others:
            self._stage(Moment.GOAL_STATE, lambda goal=last: self.fabric.set_goal_state(goal), last)  # type: ignore[misc]
        if self.scenario.restart:
            self._stage(Moment.RESTART, self._restart, last)
        if self.scenario.reboot and isinstance(self.guest, Boot):
            self._stage(Moment.REBOOT, self._reboot, last)
        if self.scenario.timers and isinstance(self.guest, Boot) and self._is_running:
            self.timers = units.start_timers(self.guest, timeout=self.scenario.patience)
            self._note_failures(self.guest)
        if self.scenario.linger:
            self._wait(lambda: False, self.scenario.linger)
        return self._result(began)

    def _stage(self, moment: Moment, begin: Callable[[], None], goal: GoalState) -> None:
        """Trigger *moment* and wait until the machine has settled with *goal*."""
        if self.given_up:
            return
        since = self.now()
        begin()
        self._wait(lambda: self._at_rest(since, goal), self.scenario.patience)
        status = self.fabric.agent_status()
        # A report from before the moment says nothing about it.
        fresh = status if status and status.time >= since else None
        ready = fresh is not None and _all_ready(fresh, goal)
        seconds = (fresh.time - since).total_seconds() if fresh and ready else None
        if isinstance(self.guest, Boot) and self._is_running and moment in _STARTS:
            units.wait_until_up(self.guest, timeout=self.scenario.patience)
            self._note_failures(self.guest)
        self.stages.append(StageResult(moment=moment, ready=ready, seconds=seconds, agent=fresh))

    def _at_rest(self, since: dt.datetime, goal: GoalState) -> bool:
        if isinstance(self.guest, Boot):
            reported = self.fabric.provisioning()
            if reported != READY:
                return reported is not None
        status = self.fabric.agent_status()
        if status is None or status.time < since or not status.ready:
            return False
        return all(_settled(status, extension.name) for extension in goal.extensions)

    def _wait(self, predicate: Callable[[], bool], timeout: float) -> None:
        """Wait as the fabric does, but no longer once the machine is off or given up."""
        end = self.now() + dt.timedelta(seconds=timeout)
        while self._is_running and (left := (end - self.now()).total_seconds()) > 0:
            if self.fabric.wait(predicate, min(_LOOK, left)):
                return
            self.given_up = self._forbearance_is_over()

    @property
    def _is_running(self) -> bool:
        return not (self.guest.ended or self.given_up)

    def _forbearance_is_over(self) -> bool:
        if self.scenario.forbearance is None:
            return False
        first = self.network.first_asked()
        return first is not None and (
            (self.now() - first).total_seconds() >= self.scenario.forbearance
        )

    def _note_failures(self, boot: Boot) -> None:
        """Record failed units, which a reboot would forget."""
        failed = units.failed_units(boot)
        if failed and not self.failed.keys() >= set(failed):
            self.journal += units.journal_of(boot, failed)
        self.failed.update(dict.fromkeys(failed))

    def _restart(self) -> None:
        if isinstance(self.guest, Boot):
            units.restart_agent(self.guest)
        else:
            self.guest.stop()
            self.guest.start()

    def _reboot(self) -> None:
        self.guest.stop()
        self.guest.start()

    def _result(self, began: dt.datetime) -> FirstBoot:
        cloud = system = ""
        services: tuple[UnitState, ...] = ()
        if isinstance(self.guest, Boot) and not self.guest.ended:
            system = self.guest.run("systemctl", "is-system-running").text.strip()
            cloud = self.guest.run("cloud-id").text.strip()
            self._note_failures(self.guest)
            services = units.states_of(self.guest, self.scenario.services)
        reports = [report for report in self.fabric.health if report.sender == CLOUD_INIT]
        return FirstBoot(
            scenario=self.scenario,
            provisioned=self.fabric.provisioning() or "",
            provisioned_seconds=(reports[0].time - began).total_seconds() if reports else None,
            stages=tuple(self.stages),
            ledger=self.network.ledger(),
            system=system,
            failed=tuple(self.failed),
            journal=self.journal,
            services=services,
            timers=self.timers,
            cloud=cloud,
            log=_tail(self.guest.disk / _LOG),
            console=self.guest.console(),
            given_up=self.given_up,
        )


_STARTS = (Moment.START, Moment.REBOOT)


def _all_ready(status: AgentStatus, goal: GoalState) -> bool:
    handlers = [status.handler(extension.name) for extension in goal.extensions]
    return status.ready and all(handler is not None and handler.succeeded for handler in handlers)


def _settled(status: AgentStatus, name: str) -> bool:
    """Return whether a handler has finished, with success or failure."""
    handler = status.handler(name)
    return handler is not None and (handler.failed or handler.extension == "success")


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-_TAIL:].decode(errors="replace")
    except FileNotFoundError:
        return ""
