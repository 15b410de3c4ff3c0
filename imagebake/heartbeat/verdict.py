"""Whose fault a missed beat is, when that is an incident, and when silence is one."""

from __future__ import annotations

import datetime as dt
import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.heartbeat.model import GOLDEN, Beat, Heard, Phase, in_order

_TAG_LONGEST = 256


class Cause(enum.StrEnum):
    """What a region's beats say, the golden one beside the plain one where there is one."""

    WELL = "well"
    PLATFORM = "platform"
    """The plain machine failed: Azure is sick, whether our image withstands it or not."""
    IMAGE = "image"
    """The plain machine did not fail and ours did: what we baked is sick."""
    UNKNOWN = "unknown"
    """Ours failed, and there was no plain one beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one round of beats says of an image in a region."""

    image: str
    region: str
    at: dt.datetime
    cause: Cause
    culprit: Heard | None = None
    """The beat that tells what is wrong: where two failed, the golden one."""

    @property
    def failure(self) -> Phase | None:
        """The phase that failed."""
        return self.culprit.failure if self.culprit else None

    @property
    def sentence(self) -> str:
        """What is wrong, for people; empty where nothing is."""
        failed = self.failure
        if failed is None or self.culprit is None:
            return ""
        where = f" at {failed.host}" if failed.host else ""
        whose = {
            Cause.PLATFORM: "the platform is sick",
            Cause.IMAGE: f"{self.image}@{self.culprit.version} is sick",
            Cause.UNKNOWN: f"{self.image}@{self.culprit.version} or the platform is sick",
        }[self.cause]
        return f"{whose}: {failed.name} failed{where}: {failed.code}"

    def to_json(self) -> dict[str, Any]:
        """The verdict for programs."""
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
    """Misses in a row, from the first of them until the beat that was good again.

    *last* is the latest verdict of those that belong to it: the first one tells what broke
    when, this one what is broken now.
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
        """Whether it goes on."""
        return self.closed is None

    @property
    def text(self) -> str:
        """The incident in the words of a tag: since when, whose fault, and what failed where."""
        return f"{self.first.at:%Y-%m-%dT%H:%M:%SZ} {self.last.sentence}"[:_TAG_LONGEST]

    def to_json(self) -> dict[str, Any]:
        """The incident for programs."""
        return {
            "image": self.image,
            "region": self.region,
            "opened": self.opened.isoformat(),
            "closed": self.closed.isoformat() if self.closed else None,
            "misses": self.misses,
            "first": self.first.to_json(),
            "last": self.last.to_json(),
        }


def verdicts(beats: Iterable[Heard]) -> list[Verdict]:
    """What each round says of each image and region, the oldest first.

    A round is the beats with the same beginning of their id, which one run of `heartbeat`
    made; so what machines of other runs say at the same time is not mixed up with it.
    """
    rounds: dict[tuple[str, str, str], list[Heard]] = defaultdict(list)
    for one in in_order(beats):
        rounds[one.image, one.region, one.id.rpartition("-")[0]].append(one)
    found = [_judge(image, region, group) for (image, region, _), group in rounds.items()]
    return sorted(found, key=lambda one: (one.at, one.image, one.region))


def _judge(image: str, region: str, beats: list[Heard]) -> Verdict:
    bad = [one for one in beats if one.failure]
    if not bad:
        return Verdict(image=image, region=region, at=beats[0].began, cause=Cause.WELL)
    golden = [one for one in bad if one.label == GOLDEN]
    plain = [one for one in beats if one.label != GOLDEN]
    cause = _cause(golden=bool(golden), plain=[one.good for one in plain])
    culprit = next(iter(golden or bad), None)
    return Verdict(image=image, region=region, at=beats[0].began, cause=cause, culprit=culprit)


def _cause(*, golden: bool, plain: list[bool]) -> Cause:
    """The cause, from whether a golden beat was bad, and whether each plain one was good."""
    if not all(plain):
        return Cause.PLATFORM
    if not golden:
        return Cause.WELL
    return Cause.IMAGE if plain else Cause.UNKNOWN


def incidents(told: Iterable[Verdict], misses: Mapping[str, int]) -> list[Incident]:
    """Every incident that *told*, oldest first, makes; *misses* is how many it takes, by image.

    One good round closes it.
    """
    running: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    found: list[Incident] = []
    for one in told:
        row = running[one.image, one.region]
        if one.cause is not Cause.WELL:
            row.append(one)
            continue
        if len(row) >= misses.get(one.image, 1):
            found.append(_incident(row, misses.get(one.image, 1), closed=one.at))
        row.clear()
    found += [
        _incident(row, misses.get(image, 1))
        for (image, _), row in running.items()
        if len(row) >= misses.get(image, 1)
    ]
    return sorted(found, key=lambda one: (one.opened, one.image, one.region))


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
    """An image in a region of which no good beat is known that is young enough."""

    image: str
    region: str
    last: dt.datetime | None
    hours: float

    def sentence(self, now: dt.datetime) -> str:
        """How long it has been silent."""
        if self.last is None:
            return f"{self.image} in {self.region} has never had a good beat"
        age = (now - self.last).total_seconds() / 3600
        return (
            f"the last good beat of {self.image} in {self.region} is {age:.1f} h old"
            f" (at most {self.hours:g})"
        )


def silences(
    beats: Iterable[Heard],
    wanted: Iterable[tuple[str, str]],
    *,
    now: dt.datetime,
    hours: float,
) -> list[Silence]:
    """Which of the *wanted* images and regions have had no good golden beat for *hours*."""
    last: dict[tuple[str, str], dt.datetime] = {}
    for one in beats:
        where = one.image, one.region
        if one.label == GOLDEN and one.good and one.began > last.get(where, _NEVER):
            last[where] = one.began
    limit = now - dt.timedelta(hours=hours)
    return [
        Silence(image=image, region=region, last=last.get((image, region)), hours=hours)
        for image, region in wanted
        if last.get((image, region), _NEVER) < limit
    ]


_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def last_word(beats: Iterable[Beat]) -> dict[str, dict[str, bool]]:
    """What a rollout asks: by ring, by the version's id in lower case, whether it is good there.

    It is where the last golden beat in each region that had one is.
    """
    last: dict[tuple[str, str, str], Beat] = {}
    for one in beats:
        if one.label != GOLDEN:
            continue
        for ring in one.rings:
            where = ring, one.version_id.lower(), one.region
            if where not in last or one.began >= last[where].began:
                last[where] = one
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for (ring, version, _), beat in last.items():
        found[ring][version] = found[ring].get(version, True) and beat.good
    return dict(found)
