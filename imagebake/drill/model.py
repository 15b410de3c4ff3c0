"""Drills: the timeline of an incident, the images that meet it, and the record of both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from imagebake.azure.model.machine import ExtensionRequest
from imagebake.lab.faults import IdentityState, StoreState
from imagebake.spec.model.options import Objectives

GOLDEN, PLAIN = "golden", "plain"
STORE, IDENTITY = "store", "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPhase:
    """A part of the timeline, from minute *start* on, and the faults in it."""

    name: str
    start: int
    store: StoreState = StoreState.UP
    identity: IdentityState = IdentityState.UP

    @property
    def healthy(self) -> bool:
        """Whether the phase has no fault."""
        return self.store is StoreState.UP and self.identity is IdentityState.UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """An incident in minutes after *origin*: its phases, and when machines are requested.

    *demands* are minutes; a minute that is named twice requests two machines of each image.
    """

    title: str
    origin: dt.datetime
    phases: tuple[DrillPhase, ...]
    demands: tuple[int, ...]
    end: int

    def phase_at(self, minute: float) -> DrillPhase:
        """Return the phase of *minute*."""
        return [phase for phase in self.phases if phase.start <= minute][-1]

    def clock(self, minute: float) -> str:
        """Return the time of day at *minute*, in UTC: `18:03`."""
        return (self.origin + dt.timedelta(minutes=minute)).strftime("%H:%M")

    @property
    def began(self) -> int:
        """Minute of the first fault."""
        return next(phase.start for phase in self.phases if not phase.healthy)

    @property
    def recovered_at(self) -> int:
        """Minute after which there is no fault any more."""
        return self.phases[-1].start


def february_outage(*, every: int = 60) -> Timeline:
    """Return the incidents of 2 and 3 February 2026, with scale-outs every *every* minutes.

    Public access to the accounts with extension packages was removed at 18:03 UTC and restored
    about 00:30; the surge that followed, from 00:08 on, took the managed-identity service
    down until 06:05 (Azure's review FNJ8-VQZ). As with any backlog, demand is higher then.
    """
    origin = dt.datetime(2026, 2, 2, 17, 3, tzinfo=dt.UTC)
    # 00:35, 00:43 and 06:48: the backlog of two recoveries, on top of the hourly scale-outs.
    surge = (452, 460, 825)
    return Timeline(
        title="2 and 3 February 2026: extension packages, then managed identity",
        origin=origin,
        phases=(
            DrillPhase(name="Calm", start=0),
            DrillPhase(
                name="Packages cannot be read", start=60, store=StoreState.PUBLIC_ACCESS_DENIED
            ),
            DrillPhase(
                name="Managed identity goes down, too",
                # 00:08 UTC
                start=425,
                store=StoreState.PUBLIC_ACCESS_DENIED,
                identity=IdentityState.THROTTLED,
            ),
            DrillPhase(
                name="Packages are back, managed identity is not",
                # 00:30 UTC
                start=447,
                identity=IdentityState.BROKEN,
            ),
            DrillPhase(name="Recovered", start=782),
        ),
        demands=tuple(sorted((2, *range(60 + every // 4, 840, every), *surge))),
        end=880,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillImage:
    """An image in the drill, with the extensions in its machines' models."""

    label: str
    version_id: str
    version: str
    extensions: tuple[ExtensionRequest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlan:
    """Everything that a drill does, decided before it acts."""

    image: str
    candidates: tuple[DrillImage, ...]
    timeline: Timeline
    minutes_per_second: float
    objectives: Objectives


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningAttempt:
    """A machine requested at *minute*; *seconds* until it was Ready, None if it never was.

    *code* and *message* are ARM's. *downloads* counts requests to anything but the platform; None
    where there is no ledger.
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
        """Whether the machine became Ready."""
        return self.seconds is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFailure:
    """The first machine that failed, left untouched and inspected after the incident."""

    name: str
    minute: float
    healed: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTraffic:
    """Requests of one image's machines to one service, by minute of the timeline.

    A request counts at the minute of its machine's creation plus the real time since then.
    """

    label: str
    service: str
    by_minute: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of requests."""
        return sum(self.by_minute.values())

    @property
    def peak(self) -> int:
        """Highest number of requests in a minute."""
        return max(self.by_minute.values(), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRecord:
    """Observations of a drill; reports and verdicts are computed from them alone."""

    plan: DrillPlan
    began: dt.datetime
    attempts: tuple[ProvisioningAttempt, ...]
    traffic: tuple[ServiceTraffic, ...] = ()
    witness: FirstFailure | None = None

    def of(self, label: str) -> tuple[ProvisioningAttempt, ...]:
        """Return the attempts with one image, by minute."""
        mine = (attempt for attempt in self.attempts if attempt.label == label)
        return tuple(sorted(mine, key=lambda attempt: (attempt.minute, attempt.name)))

    def requests(self, label: str, service: str) -> ServiceTraffic:
        """Return the requests of one image's machines to one service."""
        found = (
            traffic
            for traffic in self.traffic
            if (traffic.label, traffic.service) == (label, service)
        )
        return next(found, ServiceTraffic(label=label, service=service))

    def to_json(self) -> dict[str, Any]:
        """Return the record for `--json`."""
        plan = self.plan
        return {
            "image": plan.image,
            "incident": plan.timeline.title,
            "began": self.began.isoformat(timespec="seconds"),
            "minutes_per_second": plan.minutes_per_second,
            "objectives": plan.objectives.to_json(),
            "images": {
                candidate.label: {
                    "version": candidate.version,
                    "extensions": [wish.handler for wish in candidate.extensions],
                }
                for candidate in plan.candidates
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
            "attempts": [asdict(attempt) for attempt in self.attempts],
            "requests": [
                {
                    "image": traffic.label,
                    "service": traffic.service,
                    "total": traffic.total,
                    "by_minute": {
                        str(minute): n for minute, n in sorted(traffic.by_minute.items())
                    },
                }
                for traffic in self.traffic
            ],
            "witness": asdict(self.witness) if self.witness else None,
        }
