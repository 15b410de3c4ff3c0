"""What came of a plan: what was done of it, how long it took, and why it stopped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import name_of
from imagebake.rollout.model.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A plan, and what it was made from: *versions* as they were then, by id.

    *budgets* says how many scale sets may fail, by ring; *began* is when the work was asked
    for, and *objective* how long a rollback may take.
    """

    plan: Plan
    verb: str
    record: str
    versions: Mapping[str, GalleryVersion]
    budgets: Mapping[str, int]
    began: dt.datetime
    objective: dt.timedelta | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What was done of a plan, how long it took, and what came of the scale sets.

    *already* are steps that were there before they were taken; *failed* says why each scale
    set failed that did; *stopped* why the rest of the plan was not done, empty at its end.
    """

    work: Work
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
        """The outcome for programs, and as it is recorded."""
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
        """What was done, for people."""
        count, title = len(self.done), self.work.plan.title
        steps = "1 step" if count == 1 else f"{count} steps"
        lines = [f"{title}: {steps} in {spoken_time(self.seconds)}"]
        if self.already:
            lines.append(f"  taken already before this run came to it: {len(self.already)}")
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
    """A time in its largest unit: `1.5 s`, `4.2 min`, `3.0 h`."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
