"""The offline proof as values: requirements, results of first boots, and the verdict."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.lab.ledger import Ledger


class ProofCriterion(enum.StrEnum):
    """A criterion of a proof: every first boot meets all but the last, which is the proof's own."""

    SILENT = "silent"
    PROVISIONED = "provisioned"
    AGENT = "agent"
    HANDLERS = "handlers"
    SERVICES = "services"
    BUDGET = "budget"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofScope:
    """Which part of a proof to carry out: all of it, or the one first boot called *scenario*."""

    scenario: str = ""
    control: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRequirements:
    """The state that a machine of the image must report.

    *agent* is the version of the guest agent, empty if the image pins none. *handlers* are the
    extensions of the goal state with their exact versions. *services* must be enabled and active
    after the reboot.
    """

    image: str
    agent: str = ""
    handlers: tuple[tuple[str, str], ...] = ()
    services: tuple[str, ...] = ()
    budget_seconds: float = 30.0
    packages: Mapping[str, str] = field(default_factory=dict)
    """The package that owns each systemd unit; a unit without one was written by a customizer."""

    def to_json(self) -> dict[str, Any]:
        """Return the requirements as the record of a proof stores them."""
        return {
            "image": self.image,
            "agent": self.agent,
            "handlers": dict(self.handlers),
            "services": list(self.services),
            "budget_seconds": self.budget_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerResult:
    """The last report of the agent about one extension handler."""

    name: str
    version: str
    ready: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResult:
    """A unit after the reboot; *unmet* is a condition that no container can meet."""

    unit: str
    enabled: bool
    active: bool
    state: str = ""
    unmet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBootResult:
    """The result of one first boot.

    *trial* is its name, *means* how the machine was started: `agent` alone, or a whole `boot` with
    restart of the agent, reboot and timers. *provisioned* is the state that cloud-init reported.
    *seconds* is the time until everything was Ready, None if it never was. *failed* lists failed
    units. A first boot that was *given_up* had sent a request and was stopped early, so its other
    fields are incomplete.
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
        """Return the result for the record of a proof; the ledger has a record of its own."""
        return {
            "trial": self.trial,
            "means": self.means,
            "provisioned": self.provisioned,
            "agent": self.agent,
            "ready": self.ready,
            "seconds": self.seconds,
            "handlers": {
                handler.name: handler.version for handler in self.handlers if handler.ready
            },
            "services": {service.unit: service.unmet or service.state for service in self.services},
            "failed": list(self.failed),
            "silent": self.ledger.clean,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NegativeControl:
    """A first boot that must fail: the image without imagebake's part, or with a planted download.

    *what* describes the change. A control counts only if its ledger caught a request: a machine
    that fails without one shows nothing about what the proof detects.
    """

    what: str
    seen: FirstBootResult

    @property
    def caught(self) -> tuple[str, ...]:
        """The requests that the ledger caught, in words; empty if the control did not fail."""
        asked = tuple(dict.fromkeys(map(str, self.seen.ledger.entries)))
        if asked:
            return asked
        return () if self.seen.ledger.clean else ("packets of an unknown sender",)

    def to_json(self) -> dict[str, Any]:
        """Return the control as the record of a proof stores it."""
        return {"what": self.what, "caught": list(self.caught), "ready": self.seen.ready}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFailure:
    """A criterion that was not met: the cause, and the change to the spec that fixes it."""

    criterion: ProofCriterion
    message: str
    fix: str
    trials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The verdict over first boots; *wanted* names the trials that a whole proof needs."""

    demand: ProofRequirements
    wanted: tuple[str, ...]
    seen: tuple[FirstBootResult, ...]
    controls: tuple[NegativeControl, ...]
    reasons: tuple[ProofFailure, ...]

    @property
    def whole(self) -> bool:
        """Whether every needed trial was carried out, and a control."""
        done = {result.trial for result in self.seen}
        return bool(self.wanted) and set(self.wanted) <= done and bool(self.controls)

    @property
    def passed(self) -> bool:
        """Whether this proves that the image provisions without downloads."""
        return self.whole and not self.reasons

    def to_json(self) -> dict[str, Any]:
        """Return the record of the proof."""
        return {
            "passed": self.passed,
            "whole": self.whole,
            "demand": self.demand.to_json(),
            "wanted": list(self.wanted),
            "trials": [result.to_json() for result in self.seen],
            "controls": [control.to_json() for control in self.controls],
            "reasons": [
                {
                    "law": str(reason.criterion),
                    "message": reason.message,
                    "fix": reason.fix,
                    "trials": list(reason.trials),
                }
                for reason in self.reasons
            ],
        }
