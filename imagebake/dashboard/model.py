"""The contents of the dashboard, with the time at which each part was read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from imagebake.heartbeat.history import RegionStatistics, TimeBucket

FORMAT = 1
WELL, LOOK, BAD, NONE = "well", "look", "bad", "none"
"""States on the page, from good to bad, and unknown; the style sheet knows them by these names."""
FEW = 3
"""Up to so many images are shown unfolded; of more, only those that need attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPart:
    """A part that could not be read; *seen* is the time of the older reading shown instead."""

    part: str
    why: str
    seen: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSummary:
    """Whether fleets may be changed: `open`, `closed` or `unknown`."""

    state: str
    why: str = ""
    until: dt.datetime | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSummary:
    """One ring of an image, as in `status`; *age_days* is the age of its current version.

    *replicas* and *scale_sets* are pairs: how many of how many.
    """

    name: str
    current: str | None
    previous: str | None
    since: dt.datetime | None
    age_days: float | None
    proof: str
    flaw: str
    held: str
    replicas: tuple[int, int]
    scale_sets: tuple[int, int]
    users: int
    upcoming: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSummary:
    """One image; *rings* is None where the gallery was never read."""

    name: str
    description: str
    owner: str
    age_objective: int
    rings: tuple[RingSummary, ...] | None

    @property
    def too_old(self) -> tuple[RingSummary, ...]:
        """The rings whose version is older than the image's objective."""
        return tuple(
            ring
            for ring in self.rings or ()
            if ring.age_days is not None and ring.age_days > self.age_objective
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSummary:
    """The beats of an image in a region under a label; *figures* is None where there are none."""

    image: str
    region: str
    label: str
    figures: RegionStatistics | None = None
    slots: tuple[TimeBucket, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentSummary:
    """Misses in a row: *began* is the time of the first, *opened* when there were enough.

    *closed* is None while it lasts. *stopped* names the rollouts refused meanwhile.
    """

    image: str
    region: str
    cause: str
    sentence: str
    phase: str
    host: str
    code: str
    message: str
    began: dt.datetime
    opened: dt.datetime
    closed: dt.datetime | None
    misses: int
    stopped: tuple[str, ...] = ()

    @property
    def detected_after(self) -> float:
        """Seconds from the first miss until there were enough for an incident."""
        return (self.opened - self.began).total_seconds()

    def lasted(self, now: dt.datetime) -> float:
        """Seconds from the first miss until the end, or *now*."""
        return ((self.closed or now) - self.began).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSummary:
    """The outcome of a rollout plan: done, stopped, or *refused* before it began.

    For a refused plan, *steps* were waiting and *seconds* is how long it was tried.
    """

    image: str
    verb: str
    title: str
    began: dt.datetime
    seconds: float
    steps: int
    failed: int
    stopped: str = ""
    refused: str = ""
    times: int = 1
    objective_seconds: float | None = None
    objective_met: bool | None = None
    calls: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeSummary:
    """One bake; *outcome* is empty for one that was killed or still runs."""

    image: str
    begun: dt.datetime
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookSummary:
    """A runbook and its last rehearsal here; *page* is the rehearsal recorded in the runbook."""

    name: str
    title: str
    objective_seconds: float
    page: str
    rehearsed: dt.datetime | None = None
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSummary:
    """The use of a limit; *where* is the id of the version that a limit per version is about."""

    kind: str
    used: int
    limit: int
    warns: bool
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something that needs attention; *section* is the id of the part with the details."""

    section: str
    text: str
    grave: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Everything known at *at*; *seen* is when the gallery was read, None where it never was.

    *remarks* are about machines with extensions that their image does not declare.
    """

    at: dt.datetime
    gallery: str
    cloud: str
    seen: dt.datetime | None
    gate: GateSummary
    images: tuple[ImageSummary, ...]
    regions: tuple[RegionSummary, ...]
    incidents: tuple[IncidentSummary, ...]
    moves: tuple[RolloutSummary, ...]
    bakes: tuple[BakeSummary, ...]
    runbooks: tuple[RunbookSummary, ...]
    quotas: tuple[QuotaSummary, ...]
    gaps: tuple[MissingPart, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def last_beat(self) -> dt.datetime | None:
        """The time at which the newest beat began."""
        return max((region.figures.last for region in self.regions if region.figures), default=None)

    @property
    def open_incidents(self) -> tuple[IncidentSummary, ...]:
        """The incidents that are not closed."""
        return tuple(incident for incident in self.incidents if incident.closed is None)

    @property
    def concerns(self) -> tuple[Concern, ...]:
        """Everything that needs attention, the grave first."""
        return tuple(sorted(_concerns(self), key=lambda concern: not concern.grave))

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values, with times in ISO 8601."""
        fields: dict[str, Any] = _plain(asdict(self))
        for incident in fields["incidents"]:
            incident["said"] = incident.pop("sentence")  # the key that readers of --json know
        concerns = [asdict(concern) for concern in self.concerns]
        return {"dashboard": FORMAT, **fields, "concerns": concerns}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _concerns(seen: Dashboard) -> Iterator[Concern]:
    for incident in seen.open_incidents:
        text = f"{incident.image} in {incident.region}: {incident.sentence}"
        yield Concern(section="incidents", text=text, grave=True)
    if seen.gate.state != "open":
        text = f"nothing is promoted or retired: {seen.gate.why}"
        # A freeze is planned, and an open incident is a concern of its own already.
        unplanned = seen.gate.state == "closed" and not seen.gate.why.startswith("freeze")
        yield Concern(section="gate", text=text, grave=unplanned and not seen.open_incidents)
    for image in seen.images:
        yield from _of_image(image)
    for text in seen.remarks:
        yield Concern(section="images", text=text, grave=False)
    for quota in seen.quotas:
        if quota.warns:
            text = f"{quota.used:,} of {quota.limit:,} {quota.kind} are used"
            yield Concern(section="quotas", text=text, grave=False)
    for book in seen.runbooks:
        if book.why:
            text = f"the rehearsal of {book.name} failed: {book.why}"
            yield Concern(section="runbooks", text=text, grave=False)


def _of_image(image: ImageSummary) -> Iterator[Concern]:
    for ring in image.rings or ():
        if ring.flaw:
            text = f"{image.name}@{ring.current} in ring {ring.name}: {ring.flaw}"
            yield Concern(section="images", text=text, grave=True)
    if old := image.too_old:
        rings = ", ".join(ring.name for ring in old)
        age = max(ring.age_days or 0 for ring in old)
        text = f"{image.name} is {age:.0f} days old in {rings}; its objective is "
        yield Concern(section="images", text=f"{text}{image.age_objective} days", grave=False)
