"""One machine's first hours in a few seconds: what it is given, and what was seen of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from imagebake.lab.boot.units import UnitState
from imagebake.lab.fabric.plan import GatewayMode, GoalState, StoreMode
from imagebake.lab.fabric.status import READY, AgentStatus
from imagebake.lab.ledger import Ledger


class StartMethod(enum.StrEnum):
    """How a machine is had."""

    BOOT = "boot"
    AGENT = "agent"


class Moment(enum.StrEnum):
    """What a machine has been put through when it is looked at."""

    START = "start"
    GOAL_STATE = "goal state"
    RESTART = "restart of the agent"
    REBOOT = "reboot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What one machine is put through.

    It is started with the first of *goals*, and gets each of the others once it has come to
    rest with the one before. Then, as asked, its agent is restarted, it is rebooted, and what
    its timers would start some day is started; *linger* seconds of watching follow. Those
    three need a whole boot, except for the restart. *services* are looked at after all that.
    No single wait is longer than *patience* seconds. A machine that has asked for something
    is given up after *forbearance* more seconds: for a proof, that settles it.
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
    """A machine come to rest after a moment, or not within the scenario's patience.

    *ready* is whether the agent was, with every extension of the goal state; *seconds* how
    long that took, None when it was not. *agent* is the report that says so, or the last.
    """

    moment: Moment
    ready: bool
    seconds: float | None
    agent: AgentStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBoot:
    """What was seen of a machine that was put through a scenario.

    *provisioned* is what cloud-init reported to Azure: `Ready`, `NotReady: ` and why, empty
    for nothing, as always where the agent runs alone. *system* is what the machine's init
    said of itself in the end, *failed* the units that had failed at any moment, *journal* the
    last that their machine wrote down, *log* the end of the agent's log. *given_up* is whether
    it was not led to its end, because it had asked for something.
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
        """Whether all was Ready at every moment."""
        provisioned = self.provisioned == READY or self.scenario.means is StartMethod.AGENT
        return provisioned and all(stage.ready for stage in self.stages)

    @property
    def seconds(self) -> float | None:
        """From switching on until all goal states were Ready, before any restart."""
        first = [one for one in self.stages if one.moment in (Moment.START, Moment.GOAL_STATE)]
        taken = [one.seconds for one in first]
        return None if None in taken else sum(filter(None, taken))

    @property
    def agent(self) -> AgentStatus | None:
        """The agent's last report."""
        return self.stages[-1].agent if self.stages else None
