"""A rehearsal of an incident: its timeline, what machines it meets, and what was seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from imagebake.azure.model.machine import ExtensionWish
from imagebake.lab.faults import IdentityState, StoreState
from imagebake.spec.model.options import Objectives

GOLDEN, PLAIN = "golden", "plain"
IMAGES = (GOLDEN, PLAIN)
STORE, IDENTITY = "store", "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the timeline, from *start* minutes on, and what is broken in it."""

    name: str
    start: int
    store: StoreState = StoreState.UP
    identity: IdentityState = IdentityState.UP

    @property
    def calm(self) -> bool:
        """Whether nothing is broken."""
        return self.store is StoreState.UP and self.identity is IdentityState.UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """An incident by minutes after *origin*: its phases, and when machines are asked for.

    *demands* are minutes; one that is named twice asks for two machines of each image.
    """

    title: str
    origin: dt.datetime
    phases: tuple[Phase, ...]
    demands: tuple[int, ...]
    end: int

    def phase_at(self, minute: float) -> Phase:
        """The phase that *minute* lies in."""
        return [one for one in self.phases if one.start <= minute][-1]

    def clock(self, minute: float) -> str:
        """The time of day at *minute*, in UTC: `18:03`."""
        return (self.origin + dt.timedelta(minutes=minute)).strftime("%H:%M")

    @property
    def began(self) -> int:
        """The minute from which on something is broken."""
        return next(one.start for one in self.phases if not one.calm)

    @property
    def mended(self) -> int:
        """The minute from which on nothing is broken any more."""
        return self.phases[-1].start


def outage(*, every: int = 60) -> Timeline:
    """The incidents of 2 and 3 February 2026, with scale-outs *every* so many minutes.

    Public access to the accounts with extension packages was cut at 18:03 UTC and given back
    about 00:30; the surge that followed, from 00:08 on, took the managed-identity service
    down until 06:05 (Azure's review FNJ8-VQZ). As with any backlog, more is asked for then.
    """
    origin = dt.datetime(2026, 2, 2, 17, 3, tzinfo=dt.UTC)
    surge = (452, 460, 825)
    return Timeline(
        title="2 and 3 February 2026: extension packages, then managed identity",
        origin=origin,
        phases=(
            Phase(name="Calm", start=0),
            Phase(name="Packages cannot be read", start=60, store=StoreState.PUBLIC_ACCESS_DENIED),
            Phase(
                name="Managed identity goes down, too",
                start=425,
                store=StoreState.PUBLIC_ACCESS_DENIED,
                identity=IdentityState.THROTTLED,
            ),
            Phase(
                name="Packages are back, managed identity is not",
                start=447,
                identity=IdentityState.BROKEN,
            ),
            Phase(name="Recovered", start=782),
        ),
        demands=tuple(sorted((2, *range(60 + every // 4, 840, every), *surge))),
        end=880,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An image in the drill, with the extensions that its machines have in their model."""

    label: str
    version_id: str
    version: str
    extensions: tuple[ExtensionWish, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlan:
    """Everything that a drill does, decided before anything is touched."""

    image: str
    candidates: tuple[Candidate, ...]
    timeline: Timeline
    minutes_per_second: float
    objectives: Objectives


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One machine that was asked for, at *minute*; *seconds* until it was Ready, None if never.

    *code* and *message* are ARM's. *downloads* is how much it asked of anything but its
    platform, None where nobody can tell.
    """

    label: str
    name: str
    minute: float
    seconds: float | None
    code: str = ""
    message: str = ""
    downloads: int | None = None

    @property
    def ready(self) -> bool:
        """Whether the machine came to be what was asked for."""
        return self.seconds is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """The first machine that failed, which nobody touched; looked at when all was over."""

    name: str
    minute: float
    healed: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests of one image's machines to one service, by minute of the timeline.

    Each is put down as long after the minute its machine was asked for as it came after it.
    """

    label: str
    service: str
    by_minute: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_minute.values())

    @property
    def peak(self) -> int:
        """The most in one minute."""
        return max(self.by_minute.values(), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRecord:
    """What a drill saw; everything that is said about it is made from this alone."""

    plan: DrillPlan
    began: dt.datetime
    attempts: tuple[Attempt, ...]
    traffic: tuple[Traffic, ...] = ()
    witness: Witness | None = None

    def of(self, label: str) -> tuple[Attempt, ...]:
        """The attempts with one image, by the minute they were asked for."""
        mine = (one for one in self.attempts if one.label == label)
        return tuple(sorted(mine, key=lambda one: (one.minute, one.name)))

    def requests(self, label: str, service: str) -> Traffic:
        """What one image's machines asked of one service."""
        found = (one for one in self.traffic if (one.label, one.service) == (label, service))
        return next(found, Traffic(label=label, service=service))

    def to_json(self) -> dict[str, Any]:
        """The record for programs."""
        plan = self.plan
        return {
            "image": plan.image,
            "incident": plan.timeline.title,
            "began": self.began.isoformat(timespec="seconds"),
            "minutes_per_second": plan.minutes_per_second,
            "objectives": plan.objectives.to_json(),
            "images": {
                one.label: {
                    "version": one.version,
                    "extensions": [wish.handler for wish in one.extensions],
                }
                for one in plan.candidates
            },
            "phases": [
                {
                    "name": phase.name,
                    "minute": phase.start,
                    "store": phase.store.value,
                    "identity": phase.identity.value,
                }
                for phase in plan.timeline.phases
            ],
            "attempts": [asdict(one) for one in self.attempts],
            "requests": [
                {
                    "image": one.label,
                    "service": one.service,
                    "total": one.total,
                    "by_minute": {str(minute): n for minute, n in sorted(one.by_minute.items())},
                }
                for one in self.traffic
            ],
            "witness": asdict(self.witness) if self.witness else None,
        }
