"""Verdicts over beats: whether a failure is the platform's or the image's, incidents, silences."""

from __future__ import annotations

import datetime as dt
import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.heartbeat.model import GOLDEN, Beat, BeatOutcome, Phase, sort_beats

_TAG_LONGEST = 256
"""Azure refuses a tag value of more characters."""


class Cause(enum.StrEnum):
    """Cause that the beats of a region show, golden and, where there is one, plain."""

    HEALTHY = "well"
    PLATFORM = "platform"
    """The plain machine failed: Azure has an outage, whether or not our image survives it."""
    IMAGE = "image"
    """Only the golden machine failed: what was baked into the image is broken."""
    UNKNOWN = "unknown"
    """The golden machine failed, and there was no plain one to compare it with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Result of one round of beats for an image in a region."""

    image: str
    region: str
    at: dt.datetime
    cause: Cause
    failed_beat: BeatOutcome | None = None
    """The beat that failed; where both did, the golden one."""

    @property
    def failure(self) -> Phase | None:
        """The phase that failed first; None for a healthy round."""
        return self.failed_beat.failure if self.failed_beat else None

    @property
    def sentence(self) -> str:
        """The failure in one sentence, for people; empty for a healthy round."""
        failed = self.failure
        if failed is None or self.failed_beat is None:
            return ""
        where = f" at {failed.host}" if failed.host else ""
        whose = {
            Cause.PLATFORM: "the platform is sick",
            Cause.IMAGE: f"{self.image}@{self.failed_beat.version} is sick",
            Cause.UNKNOWN: f"{self.image}@{self.failed_beat.version} or the platform is sick",
        }[self.cause]
        return f"{whose}: {failed.name} failed{where}: {failed.code}"

    def to_json(self) -> dict[str, Any]:
        """Return the verdict for `--json`."""
        failed = self.failure
        return {
            "image": self.image,
            "region": self.region,
            "at": self.at.isoformat(),
            "cause": self.cause.value,
            "phase": failed.name if failed else None,
            "host": failed.host if failed else None,
            "code": failed.code if failed else None,
            "message": failed.message if failed else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Consecutive failed rounds of an image in a region, up to the good round that ends them.

    *first* shows when it began and with which error, *last* the error at present. *opened* is
    when the number of misses reached the spec's limit.
    """

    image: str
    region: str
    first: Verdict
    last: Verdict
    misses: int
    opened: dt.datetime
    closed: dt.datetime | None = None

    @property
    def open(self) -> bool:
        """Whether no good round has closed it yet."""
        return self.closed is None

    @property
    def text(self) -> str:
        """The incident as the value of a tag: start, cause, failed phase and host."""
        return f"{self.first.at:%Y-%m-%dT%H:%M:%SZ} {self.last.sentence}"[:_TAG_LONGEST]

    def to_json(self) -> dict[str, Any]:
        """Return the incident for `--json`."""
        return {
            "image": self.image,
            "region": self.region,
            "opened": self.opened.isoformat(),
            "closed": self.closed.isoformat() if self.closed else None,
            "misses": self.misses,
            "first": self.first.to_json(),
            "last": self.last.to_json(),
        }


def judge_beats(beats: Iterable[BeatOutcome]) -> list[Verdict]:
    """Return a verdict per round, image and region, oldest first.

    A round is the beats of one run, which share the beginning of their id; so the beats of
    another run at the same time are not mixed up with it.
    """
    rounds: dict[tuple[str, str, str], list[BeatOutcome]] = defaultdict(list)
    for beat in sort_beats(beats):
        rounds[beat.image, beat.region, beat.id.rpartition("-")[0]].append(beat)
    found = [_judge(image, region, group) for (image, region, _), group in rounds.items()]
    return sorted(found, key=lambda verdict: (verdict.at, verdict.image, verdict.region))


def _judge(image: str, region: str, beats: list[BeatOutcome]) -> Verdict:
    bad = [beat for beat in beats if beat.failure]
    if not bad:
        return Verdict(image=image, region=region, at=beats[0].began, cause=Cause.HEALTHY)
    golden = [beat for beat in bad if beat.label == GOLDEN]
    plain = [beat for beat in beats if beat.label != GOLDEN]
    cause = _cause(golden=bool(golden), plain=[beat.good for beat in plain])
    failed_beat = next(iter(golden or bad), None)
    return Verdict(
        image=image, region=region, at=beats[0].began, cause=cause, failed_beat=failed_beat
    )


def _cause(*, golden: bool, plain: list[bool]) -> Cause:
    """Attribute a round from whether a golden beat failed and which plain ones were good."""
    # The plain image has nothing of ours: where it fails, too, the platform is at fault.
    if not all(plain):
        return Cause.PLATFORM
    if not golden:
        return Cause.HEALTHY
    return Cause.IMAGE if plain else Cause.UNKNOWN


def find_incidents(verdicts: Iterable[Verdict], misses: Mapping[str, int]) -> list[Incident]:
    """Find the incidents in *verdicts*, which are ordered oldest first.

    *misses* is the number of consecutive failed rounds that open an incident, by image; one
    good round closes it.
    """
    running: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    found: list[Incident] = []
    for verdict in verdicts:
        row = running[verdict.image, verdict.region]
        if verdict.cause is not Cause.HEALTHY:
            row.append(verdict)
            continue
        if len(row) >= misses.get(verdict.image, 1):
            found.append(_incident(row, misses.get(verdict.image, 1), closed=verdict.at))
        row.clear()
    found += [
        _incident(row, misses.get(image, 1))
        for (image, _), row in running.items()
        if len(row) >= misses.get(image, 1)
    ]
    return sorted(found, key=lambda incident: (incident.opened, incident.image, incident.region))


def _incident(row: list[Verdict], misses: int, closed: dt.datetime | None = None) -> Incident:
    return Incident(
        image=row[0].image,
        region=row[0].region,
        first=row[0],
        last=row[-1],
        misses=len(row),
        opened=row[misses - 1].at,
        closed=closed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """An image and region without a good golden beat in the last *hours*."""

    image: str
    region: str
    last: dt.datetime | None
    hours: float

    def sentence(self, now: dt.datetime) -> str:
        """State how old the last good beat is."""
        if self.last is None:
            return f"{self.image} in {self.region} has never had a good beat"
        age = (now - self.last).total_seconds() / 3600
        return (
            f"the last good beat of {self.image} in {self.region} is {age:.1f} h old"
            f" (at most {self.hours:g})"
        )


def find_silences(
    beats: Iterable[BeatOutcome],
    wanted: Iterable[tuple[str, str]],
    *,
    now: dt.datetime,
    hours: float,
) -> list[Silence]:
    """Return those of the *wanted* images and regions without a good golden beat for *hours*."""
    last: dict[tuple[str, str], dt.datetime] = {}
    for beat in beats:
        where = beat.image, beat.region
        if beat.label == GOLDEN and beat.good and beat.began > last.get(where, _NEVER):
            last[where] = beat.began
    limit = now - dt.timedelta(hours=hours)
    return [
        Silence(image=image, region=region, last=last.get((image, region)), hours=hours)
        for image, region in wanted
        if last.get((image, region), _NEVER) < limit
    ]


_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def ring_health(beats: Iterable[Beat]) -> dict[str, dict[str, bool]]:
    """Return by ring and version id, in lower case, whether the version is healthy there.

    A version is healthy where its last golden beat in each region that had one is good. A
    rollout asks this before it promotes to the next ring.
    """
    last: dict[tuple[str, str, str], Beat] = {}
    for beat in beats:
        if beat.label != GOLDEN:
            continue
        for ring in beat.rings:
            where = ring, beat.version_id.lower(), beat.region
            if where not in last or beat.began >= last[where].began:
                last[where] = beat
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for (ring, version, _), beat in last.items():
        found[ring][version] = found[ring].get(version, True) and beat.good
    return dict(found)
