"""The offline proof as a value: what is demanded, what was seen, and the verdict."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.lab.ledger import Ledger


class Criterion(enum.StrEnum):
    """What every first boot of a proof must keep, and the last one what the proof must."""

    SILENT = "silent"
    PROVISIONED = "provisioned"
    AGENT = "agent"
    HANDLERS = "handlers"
    SERVICES = "services"
    BUDGET = "budget"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofScope:
    """Which part of a proof is wanted: all of it, unless *scenario* names one first boot."""

    scenario: str = ""
    control: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRequirements:
    """What an image must show: its pins as a machine reports them.

    *agent* is the version that the guest agent must say it is, empty where the image pins
    none. *handlers* are the extensions of the goal state with their exact versions.
    *services* must be enabled and active after the reboot.
    """

    image: str
    agent: str = ""
    handlers: tuple[tuple[str, str], ...] = ()
    services: tuple[str, ...] = ()
    budget_seconds: float = 30.0
    packages: Mapping[str, str] = field(default_factory=dict)
    """Which package of the image each unit is from; a unit of no package is not in it."""

    def to_json(self) -> dict[str, Any]:
        """As the record of a proof has it."""
        return {
            "image": self.image,
            "agent": self.agent,
            "handlers": dict(self.handlers),
            "services": list(self.services),
            "budget_seconds": self.budget_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerResult:
    """An extension handler as the agent reported it last."""

    name: str
    version: str
    ready: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResult:
    """A unit after the reboot. *unmet* is a condition that a container cannot meet."""

    unit: str
    enabled: bool
    active: bool
    state: str = ""
    unmet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBootResult:
    """What one first boot showed.

    *trial* names it, *means* says how the machine was started: `agent` alone, or a whole
    `boot` with its restart of the agent, its reboot and its timers. *provisioned* is what
    cloud-init reported. *seconds* is how long it took until all was Ready, None if never.
    *failed* are units that failed. A first boot that was *given_up* had asked for something
    and was not led to its end, so the rest of it says nothing.
    """

    trial: str
    means: str
    agent: str
    ready: bool
    seconds: float | None
    ledger: Ledger
    provisioned: str = ""
    message: str = ""
    handlers: tuple[HandlerResult, ...] = ()
    services: tuple[ServiceResult, ...] = ()
    failed: tuple[str, ...] = ()
    given_up: bool = False

    @property
    def booted(self) -> bool:
        """Whether the image's own init ran."""
        return self.means == "boot"

    def to_json(self) -> dict[str, Any]:
        """As the record of a proof has it; the ledger has a record of its own."""
        return {
            "trial": self.trial,
            "means": self.means,
            "provisioned": self.provisioned,
            "agent": self.agent,
            "ready": self.ready,
            "seconds": self.seconds,
            "handlers": {one.name: one.version for one in self.handlers if one.ready},
            "services": {one.unit: one.unmet or one.state for one in self.services},
            "failed": list(self.failed),
            "silent": self.ledger.clean,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NegativeControl:
    """The same image with what imagebake does taken out, or with a planted download.

    *what* says which. A control counts only when its ledger caught something: a machine that
    fails in silence shows nothing about what the proof can see.
    """

    what: str
    seen: FirstBootResult

    @property
    def caught(self) -> tuple[str, ...]:
        """What the ledger caught of it, in words; nothing when the control did not fail."""
        asked = tuple(dict.fromkeys(map(str, self.seen.ledger.entries)))
        if asked:
            return asked
        return () if self.seen.ledger.clean else ("packets that nobody could name",)

    def to_json(self) -> dict[str, Any]:
        """As the record of a proof has it."""
        return {"what": self.what, "caught": list(self.caught), "ready": self.seen.ready}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFailure:
    """Why there is no proof: which law is broken, by whom, and what to change in the spec."""

    law: Criterion
    message: str
    fix: str
    trials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A verdict over the first boots in *seen*. *wanted* are the trials that decide."""

    demand: ProofRequirements
    wanted: tuple[str, ...]
    seen: tuple[FirstBootResult, ...]
    controls: tuple[NegativeControl, ...]
    reasons: tuple[ProofFailure, ...]

    @property
    def whole(self) -> bool:
        """Whether every trial that decides was carried out, and a control."""
        done = {one.trial for one in self.seen}
        return bool(self.wanted) and set(self.wanted) <= done and bool(self.controls)

    @property
    def passed(self) -> bool:
        """Whether this proves that the image provisions without downloading."""
        return self.whole and not self.reasons

    def to_json(self) -> dict[str, Any]:
        """The record of the proof."""
        return {
            "passed": self.passed,
            "whole": self.whole,
            "demand": self.demand.to_json(),
            "wanted": list(self.wanted),
            "trials": [one.to_json() for one in self.seen],
            "controls": [one.to_json() for one in self.controls],
            "reasons": [
                {
                    "law": str(one.law),
                    "message": one.message,
                    "fix": one.fix,
                    "trials": list(one.trials),
                }
                for one in self.reasons
            ],
        }
