"""A plan: what will be done and what will not, as a change request says it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from imagebake.kernel.digest import sha256_json
from imagebake.kernel.errors import NotNow
from imagebake.rollout.freezes import OPEN, Gate
from imagebake.rollout.model.actions import Action, AwaitReplicas, Move, Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What is not done to *subject*: why, what protects it, and the command that shows that."""

    subject: str
    wanted: str
    reason: str
    protector: str = ""
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """The refusal for programs."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What will be done to *subject* later, and from when on."""

    subject: str
    wanted: str
    at: dt.datetime | None = field(default=None)

    def to_json(self) -> dict[str, Any]:
        """What is due, for programs."""
        return {
            "subject": self.subject,
            "wanted": self.wanted,
            "at": self.at.isoformat() if self.at else None,
        }


_SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """So many ARM calls a minute, of each kind: the token buckets of one subscription."""

    writes: int = 200
    deletes: int = 200
    reads: int = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The ARM calls of a plan. *reads* are single looks at what takes long, the fewest."""

    reads: int
    writes: int
    deletes: int

    @property
    def calls(self) -> int:
        """All of them."""
        return self.reads + self.writes + self.deletes

    def seconds(self, throttle: Throttle) -> int:
        """So long the calls take at *throttle*, where nothing else is to be waited for."""
        minutes = max(
            self.reads / throttle.reads,
            self.writes / throttle.writes,
            self.deletes / throttle.deletes,
        )
        return math.ceil(minutes * 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done, in this order, and what is refused.

    While *gate* is not open, *actions* is empty and *waiting* has what would be done. *due*
    comes by itself later. *notes* are for the reader; *facts* are numbers for programs.
    """

    title: str
    at: dt.datetime
    actions: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    due: tuple[Due, ...] = ()
    notes: tuple[str, ...] = ()
    gate: Gate = OPEN
    waiting: tuple[Action, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What the plan is known by: the same actions have it, whenever they are planned."""
        return sha256_json([action.identity() for action in self.actions])

    @property
    def cost(self) -> Cost:
        """The ARM calls that carrying the plan out takes."""
        return Cost(
            reads=sum(
                isinstance(action, AwaitReplicas | Move | Upgrade) for action in self.actions
            ),
            writes=sum(action.writes for action in self.actions),
            deletes=sum(action.deletes for action in self.actions),
        )

    def behind(self, gate: Gate, override: str | None = None) -> Plan:
        """The plan with nothing to do while *gate* is not open, unless *override* says why."""
        if gate.open or override:
            return replace(self, gate=gate)
        return replace(self, gate=gate, waiting=self.actions, actions=())

    def require_open(self) -> None:
        """Raise `NotNow` where the gate keeps the plan's actions from being done."""
        if self.waiting or (not self.gate.open and not self.actions):
            raise NotNow(self.gate.sentence, hint=self.gate.hint)

    def to_json(self) -> dict[str, Any]:
        """The plan for programs."""
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
