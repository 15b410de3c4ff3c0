"""Scenarios of first boots, and their results."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from imagebake.lab.boot.units import UnitState
from imagebake.lab.fabric.fabric_settings import GatewayMode, GoalState, StoreMode
from imagebake.lab.fabric.status import READY, AgentStatus
from imagebake.lab.ledger import Ledger


class StartMethod(enum.StrEnum):
    """How the machine is started: a whole boot, or the agent alone."""

    BOOT = "boot"
    AGENT = "agent"


class Moment(enum.StrEnum):
    """The event after which a machine is looked at."""

    START = "start"
    GOAL_STATE = "goal state"
    RESTART = "restart of the agent"
    REBOOT = "reboot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A sequence of events for one machine.

    It starts with the first of *goals*, and receives each of the others once it has settled with
    the one before. Then, if requested, its agent is restarted, it is rebooted, and the units of its
    timers are started; *linger* seconds of watching follow. Reboot and timers need a whole boot.
    *services* are queried at the end. No single wait is longer than *patience* seconds. A machine
    that has sent a request is given up *forbearance* seconds later: for a proof, that decides.
    """

    name: str
    means: StartMethod = StartMethod.BOOT
    store: StoreMode = StoreMode.UP
    gateway: GatewayMode = GatewayMode.SAME
    goals: tuple[GoalState, ...] = (GoalState(),)
    restart: bool = False
    reboot: bool = False
    timers: bool = False
    services: tuple[str, ...] = ()
    linger: float = 0.0
    patience: float = 60.0
    forbearance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """A machine that has settled after a moment, or has not within the scenario's patience.

    *ready* is whether the agent and every extension of the goal state were; *seconds* the time
    until then, None if they were not. *agent* is the report that shows it, or the last.
    """

    moment: Moment
    ready: bool
    seconds: float | None
    agent: AgentStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBoot:
    """The result of one machine's scenario.

    *provisioned* is cloud-init's report to Azure: `Ready`, `NotReady: ` with a reason, or empty for
    none, as always if the agent runs alone. *system* is the final state of the machine's init,
    *failed* the units that failed at any moment, *journal* their journal, *log* the end of the
    agent's log. *given_up* is whether the scenario was stopped early because the machine sent a
    request.
    """

    scenario: Scenario
    provisioned: str
    provisioned_seconds: float | None
    stages: tuple[StageResult, ...]
    ledger: Ledger
    system: str = ""
    failed: tuple[str, ...] = ()
    journal: str = ""
    services: tuple[UnitState, ...] = ()
    timers: tuple[str, ...] = ()
    cloud: str = ""
    log: str = ""
    console: str = ""
    given_up: bool = False

    @property
    def ready(self) -> bool:
        """Whether everything was Ready at every moment."""
        provisioned = self.provisioned == READY or self.scenario.means is StartMethod.AGENT
        return provisioned and all(stage.ready for stage in self.stages)

    @property
    def seconds(self) -> float | None:
        """Seconds from power-on until all goal states were Ready, before any restart."""
        first = [
            stage for stage in self.stages if stage.moment in (Moment.START, Moment.GOAL_STATE)
        ]
        taken = [stage.seconds for stage in first]
        return None if None in taken else sum(filter(None, taken))

    @property
    def agent(self) -> AgentStatus | None:
        """The agent's last report."""
        return self.stages[-1].agent if self.stages else None
