"""Everything the dashboard shows, as one value: what was read, and when that was so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from imagebake.heartbeat.history import Figures, Slot

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A part that could not be read, and why; *seen* is when what is shown instead was so."""

    part: str
    why: str
    seen: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSeen:
    """Whether fleets may be changed: `open`, `closed` or `unknown`."""

    state: str
    why: str = ""
    until: dt.datetime | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSeen:
    """One ring of an image, as `status` tells of it; *age_days* is that of its version."""

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
class ImageSeen:
    """One image; *rings* is None where nobody knows what its rings have."""

    name: str
    description: str
    owner: str
    age_objective: int
    rings: tuple[RingSeen, ...] | None

    @property
    def too_old(self) -> tuple[RingSeen, ...]:
        """The rings whose version is older than the image's objective."""
        return tuple(
            one
            for one in self.rings or ()
            if one.age_days is not None and one.age_days > self.age_objective
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSeen:
    """An image in a region under a label; *figures* is None where it was never beaten."""

    image: str
    region: str
    label: str
    figures: Figures | None = None
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentSeen:
    """Misses in a row: *began* with the first of them, *opened* when there were enough.

    *stopped* says which changes of fleets were refused meanwhile.
    """

    image: str
    region: str
    cause: str
    said: str
    phase: str
    host: str
    code: str
    message: str
    began: dt.datetime
    opened: dt.datetime
    closed: dt.datetime | None
    misses: int
    stopped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What came of a rollout's plan: done, stopped, or *refused* before it began.

    The steps and seconds of what was refused are those that waited; it was so often tried.
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
class BakeSeen:
    """One bake; without an *outcome* it was killed, or still runs."""

    image: str
    begun: dt.datetime
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookSeen:
    """A runbook and its last rehearsal here; *page* is what the page itself says of one."""

    name: str
    title: str
    objective_seconds: float
    page: str
    rehearsed: dt.datetime | None = None
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSeen:
    """How much of a limit is used; *where* is the version that it is about."""

    kind: str
    used: int
    limit: int
    warns: bool
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something for people to look at: *grave*, or soon to be; *section* has more of it."""

    section: str
    text: str
    grave: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """What is known at *at*; *seen* is when the gallery was read, None where it never was.

    *remarks* are about machines that are not as their image is.
    """

    at: dt.datetime
    gallery: str
    cloud: str
    seen: dt.datetime | None
    gate: GateSeen
    images: tuple[ImageSeen, ...]
    regions: tuple[RegionSeen, ...]
    incidents: tuple[IncidentSeen, ...]
    moves: tuple[Move, ...]
    bakes: tuple[BakeSeen, ...]
    runbooks: tuple[RunbookSeen, ...]
    quotas: tuple[QuotaSeen, ...]
    gaps: tuple[Gap, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def last_beat(self) -> dt.datetime | None:
        """When the newest beat began."""
        return max((one.figures.last for one in self.regions if one.figures), default=None)

    @property
    def open_incidents(self) -> tuple[IncidentSeen, ...]:
        """Those that go on."""
        return tuple(one for one in self.incidents if one.closed is None)

    @property
    def concerns(self) -> tuple[Concern, ...]:
        """What somebody should look at, the gravest first."""
        return tuple(sorted(_concerns(self), key=lambda one: not one.grave))

    def to_json(self) -> dict[str, Any]:
        """The dashboard for programs."""
        told: dict[str, Any] = _plain(asdict(self))
        concerns = [asdict(one) for one in self.concerns]
        return {"dashboard": FORMAT, **told, "concerns": concerns}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _concerns(seen: Dashboard) -> Iterator[Concern]:
    for one in seen.open_incidents:
        yield Concern(
            section="incidents", text=f"{one.image} in {one.region}: {one.said}", grave=True
        )
    if seen.gate.state != "open":
        text = f"nothing is promoted or retired: {seen.gate.why}"
        struck = seen.gate.state == "closed" and not seen.gate.why.startswith("freeze")
        yield Concern(section="gate", text=text, grave=struck and not seen.open_incidents)
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


def _of_image(image: ImageSeen) -> Iterator[Concern]:
    for ring in image.rings or ():
        if ring.flaw:
            text = f"{image.name}@{ring.current} in ring {ring.name}: {ring.flaw}"
            yield Concern(section="images", text=text, grave=True)
    if old := image.too_old:
        rings = ", ".join(one.name for one in old)
        age = max(one.age_days or 0 for one in old)
        text = f"{image.name} is {age:.0f} days old in {rings}; its objective is "
        yield Concern(section="images", text=f"{text}{image.age_objective} days", grave=False)
