"""Rollout plans, their costs in ARM calls, and their outcomes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import name_of
from imagebake.kernel.digest import sha256_json
from imagebake.kernel.errors import NotNow
from imagebake.rollout.freezes import OPEN, RolloutGate
from imagebake.rollout.model.actions import Action, AwaitReplicas, Move, Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An action that is refused, with the reason, its protector and a command that shows it."""

    subject: str
    wanted: str
    reason: str
    protector: str = ""
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the refusal for programs."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAction:
    """An action that will follow by itself, at *at* if that is known."""

    subject: str
    wanted: str
    at: dt.datetime | None = field(default=None)

    def to_json(self) -> dict[str, Any]:
        """Return the pending action for programs."""
        return {
            "subject": self.subject,
            "wanted": self.wanted,
            "at": self.at.isoformat() if self.at else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRate:
    """ARM calls per minute, by kind: the token buckets of one subscription."""

    writes: int = 200
    deletes: int = 200
    reads: int = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCost:
    """ARM calls that a plan takes. *reads* is a lower bound: one poll per long operation."""

    reads: int
    writes: int
    deletes: int

    @property
    def calls(self) -> int:
        """The total number of calls."""
        return self.reads + self.writes + self.deletes

    def seconds(self, throttle: CallRate) -> int:
        """Return the time that the calls take at *throttle*, without waiting for Azure's work."""
        minutes = max(
            self.reads / throttle.reads,
            self.writes / throttle.writes,
            self.deletes / throttle.deletes,
        )
        return math.ceil(minutes * 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """Actions in order, with refusals and pending actions.

    While *gate* is closed, *actions* is empty and *waiting* holds the blocked actions. *notes*
    are for the reader; *facts* are numbers for programs.
    """

    title: str
    at: dt.datetime
    actions: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    due: tuple[PendingAction, ...] = ()
    notes: tuple[str, ...] = ()
    gate: RolloutGate = OPEN
    waiting: tuple[Action, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest of the actions: planning the same actions later gives the same digest."""
        return sha256_json([action.identity() for action in self.actions])

    @property
    def cost(self) -> PlanCost:
        """The ARM calls that the plan takes."""
        return PlanCost(
            reads=sum(
                isinstance(action, AwaitReplicas | Move | Upgrade) for action in self.actions
            ),
            writes=sum(action.writes for action in self.actions),
            deletes=sum(action.deletes for action in self.actions),
        )

    def gated_by(self, gate: RolloutGate, override: str | None = None) -> RolloutPlan:
        """Return the plan, blocked while *gate* is closed unless *override* is given."""
        if gate.open or override:
            return replace(self, gate=gate)
        return replace(self, gate=gate, waiting=self.actions, actions=())

    def require_open(self) -> None:
        """Raise `NotNow` if the gate blocks the plan's actions."""
        # An override leaves the actions in place although the gate is closed.
        if self.waiting or (not self.gate.open and not self.actions):
            raise NotNow(self.gate.sentence, hint=self.gate.hint)

    def to_json(self) -> dict[str, Any]:
        """Return the plan for programs."""
        return {
            "title": self.title,
            "at": self.at.isoformat(),
            "digest": self.digest,
            "gate": self.gate.to_json(),
            "actions": [action.to_json() for action in self.actions],
            "waiting": [action.to_json() for action in self.waiting],
            "refusals": [refusal.to_json() for refusal in self.refusals],
            "due": [due.to_json() for due in self.due],
            "notes": list(self.notes),
            "calls": {
                "reads": self.cost.reads,
                "writes": self.cost.writes,
                "deletes": self.cost.deletes,
            },
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutWork:
    """A plan with the facts needed to execute it: *versions* as planned, by id.

    *budgets* is the number of scale sets that may fail, by ring. *began* is when the command
    was started, *objective* the time limit of a rollback.
    """

    plan: RolloutPlan
    verb: str
    record: str
    versions: Mapping[str, GalleryVersion]
    budgets: Mapping[str, int]
    began: dt.datetime
    objective: dt.timedelta | None = None


@dataclass(slots=True, kw_only=True)
class RolloutOutcome:
    """Results of executing a plan.

    *done* are the steps with their seconds, *already* the steps that had been carried out
    before, *failed* the failed scale sets with the reasons. *stopped* says why the execution
    ended early; empty if it did not.
    """

    work: RolloutWork
    done: list[tuple[str, float]] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    seconds: float = 0.0
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_time(self) -> bool | None:
        """Whether a rollback met its objective; None for anything else."""
        if self.work.objective is None:
            return None
        met = self.seconds <= self.work.objective.total_seconds()
        return met and not self.stopped and not self.failed

    def to_json(self) -> dict[str, Any]:
        """Return the outcome for programs; this is also the stored record."""
        objective = self.work.objective
        return {
            "record_version": 1,
            "verb": self.work.verb,
            "title": self.work.plan.title,
            "digest": self.work.plan.digest,
            "began": self.work.began.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 3),
            "done": [{"step": step, "seconds": round(took, 3)} for step, took in self.done],
            "already": list(self.already),
            "failed": dict(self.failed),
            "stopped": self.stopped or None,
            "objective_seconds": objective.total_seconds() if objective else None,
            "objective_met": self.in_time,
            "metrics": dict(self.metrics),
        }

    @property
    def text(self) -> str:
        """The outcome for people."""
        count, title = len(self.done), self.work.plan.title
        steps = "1 step" if count == 1 else f"{count} steps"
        lines = [f"{title}: {steps} in {spoken_time(self.seconds)}"]
        if self.already:
            lines.append(f"  done already before this run: {len(self.already)}")
        lines += [
            f"  failed, within the error budget: {name_of(name)}: {why}"
            for name, why in sorted(self.failed.items())
        ]
        if self.work.objective is not None:
            goal, took = spoken_time(self.work.objective.total_seconds()), spoken_time(self.seconds)
            verdict = "met" if self.in_time else "missed"
            lines.append(f"  time to rollback: {took}; the objective of {goal} is {verdict}")
        if isinstance(calls := self.metrics.get("calls"), Mapping):
            counts = ", ".join(f"{number} {kind}" for kind, number in calls.items() if number)
            lines.append(f"  ARM calls: {counts or 'none'}")
        lines.append(f"  record: {self.work.record}")
        return "\n".join(lines)


def spoken_time(seconds: float) -> str:
    """Format *seconds* in the largest fitting unit: `1.5 s`, `4.2 min`, `3.0 h`."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
