"""What the identity service meets when a region's machines all want a token at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.model.drill import percentile

SDK, OURS = "sdk", "imagebake"
KINDS = (SDK, OURS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """A storm, in seconds.

    *machines* start within *spread*, with *programs* on each that need a token. The service
    refuses everybody for *outage*, then serves *capacity* requests in a second and refuses
    what is more. A program that gives up is started again after *restart*.
    """

    machines: int = 150
    programs: int = 4
    spread: float = 10.0
    outage: float = 180.0
    capacity: int = 40
    restart: float = 10.0
    horizon: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """What one kind of client did: arrivals by second, and when each machine had its tokens."""

    kind: str
    arrivals: Mapping[int, int]
    served: tuple[float, ...]
    machines: int

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.arrivals.values())

    @property
    def peak(self) -> int:
        """The most requests in one second."""
        return max(self.arrivals.values(), default=0)

    @property
    def mean(self) -> float:
        """Requests in a second, from the first to the last."""
        seconds = max(self.arrivals) - min(self.arrivals) + 1 if self.arrivals else 1
        return self.total / seconds

    @property
    def bursts(self) -> float:
        """How much worse the worst second is than the usual one."""
        return self.peak / self.mean if self.arrivals else 0.0

    @property
    def last(self) -> float | None:
        """When the last machine had its tokens; None when one never had."""
        return max(self.served) if len(self.served) == self.machines else None

    @property
    def median(self) -> float | None:
        """When half of the machines that were served had been."""
        return percentile(self.served, 0.5)

    def to_json(self) -> dict[str, Any]:
        """The wave for programs."""
        return {
            "requests": self.total,
            "peak_per_second": self.peak,
            "mean_per_second": round(self.mean, 2),
            "peak_to_mean": round(self.bursts, 2),
            "machines_served": len(self.served),
            "median_seconds": self.median,
            "last_seconds": self.last,
            "arrivals": {str(second): count for second, count in sorted(self.arrivals.items())},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StormRecord:
    """Both kinds of clients in the same storm."""

    plan: StormPlan
    waves: tuple[Wave, ...]

    def wave(self, kind: str) -> Wave:
        """What one kind of client did."""
        return next(wave for wave in self.waves if wave.kind == kind)

    @property
    def complaints(self) -> tuple[str, ...]:
        """Why ours is not the better one; empty when it is."""
        theirs, ours = self.wave(SDK), self.wave(OURS)
        return tuple(
            why
            for why, wrong in (
                (f"{ours.machines - len(ours.served)} machines never got a token", not ours.last),
                (
                    f"{ours.total} requests are no fewer than {theirs.total}",
                    ours.total >= theirs.total,
                ),
                (f"its worst second, {ours.peak}, is no better", ours.peak >= theirs.peak),
                (
                    f"the last machine had its token after {ours.last or math.inf:.0f} s, later",
                    bool(ours.last and theirs.last and ours.last > theirs.last + self.plan.outage),
                ),
            )
            if wrong
        )

    def to_json(self) -> dict[str, Any]:
        """The record for programs."""
        plan = {name: getattr(self.plan, name) for name in self.plan.__dataclass_fields__}
        waves = {wave.kind: wave.to_json() for wave in self.waves}
        return {"plan": plan, "waves": waves, "complaints": list(self.complaints)}
