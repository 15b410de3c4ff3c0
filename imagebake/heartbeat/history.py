"""What many beats say together: by region how soon machines were Ready, and how that changes."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from imagebake.heartbeat.model import Heard, in_order


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least *share* of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = max(1, -(-len(ordered) * round(share * 100) // 100))
    return ordered[rank - 1]


COLUMNS = (
    "IMAGE", "REGION", "LABEL", "LAST", "BEATS", "FAILED", "P50", "P95", "TREND", "AGE",
    "LAST FAILURE",
)  # fmt: skip
_DAY = 86400.0
_LEAST = 4
"""A trend needs so many beats that were Ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One image in one region under one label.

    *p50* and *p95* are seconds until the agent was Ready. *trend* is by what share the median
    of the later half differs from the earlier one's. *age_days* is the age that the version
    of the last beat has now, *age_objective* what its spec allows.
    """

    image: str
    region: str
    label: str
    beats: int
    failed: int
    last: dt.datetime
    last_good: dt.datetime | None
    version: str
    p50: float | None
    p95: float | None
    trend: float | None
    age_days: float | None
    age_objective: int | None
    last_failure: str = ""

    @property
    def too_old(self) -> bool:
        """Whether the version is older than its spec allows."""
        return bool(
            self.age_objective and self.age_days is not None and self.age_days > self.age_objective
        )

    @property
    def cells(self) -> tuple[str, ...]:
        """The figures as cells of a table."""
        age = "-" if self.age_days is None else f"{self.age_days:.0f} d"
        if self.age_objective:
            age += f" of {self.age_objective}{' !' if self.too_old else ''}"
        return (
            self.image,
            self.region,
            self.label,
            f"{self.last:%Y-%m-%d %H:%M}",
            str(self.beats),
            str(self.failed),
            _seconds(self.p50),
            _seconds(self.p95),
            "-" if self.trend is None else f"{self.trend:+.0%}",
            age,
            self.last_failure or "-",
        )

    def to_json(self) -> dict[str, Any]:
        """The figures for programs."""
        return asdict(self) | {
            "last": self.last.isoformat(),
            "last_good": self.last_good.isoformat() if self.last_good else None,
            "too_old": self.too_old,
        }


def history(
    beats: Iterable[Heard], *, now: dt.datetime, objectives: Mapping[str, int]
) -> list[Figures]:
    """The figures of every image, region and label; *objectives* are ages in days, by image."""
    groups: dict[tuple[str, str, str], list[Heard]] = defaultdict(list)
    for one in in_order(beats):
        groups[one.image, one.region, one.label].append(one)
    return [
        _figures(group, now, objectives.get(image))
        for (image, _, _), group in sorted(groups.items())
    ]


def _figures(beats: list[Heard], now: dt.datetime, objective: int | None) -> Figures:
    last = beats[-1]
    ready = [seconds for one in beats if (seconds := one.ready_seconds) is not None]
    bad = [one for one in beats if not one.good]
    good = [one.began for one in beats[-1:] if one.good] or [one.began for one in beats if one.good]
    age = (now - last.published).total_seconds() / _DAY if last.published else None
    return Figures(
        image=last.image,
        region=last.region,
        label=last.label,
        beats=len(beats),
        failed=len(bad),
        last=last.began,
        last_good=good[-1] if good else None,
        version=last.version,
        p50=percentile(ready, 0.5),
        p95=percentile(ready, 0.95),
        trend=_trend(ready),
        age_days=None if age is None else round(age, 2),
        age_objective=objective,
        last_failure=_words(bad[-1]) if bad else "",
    )


def _trend(seconds: list[float]) -> float | None:
    if len(seconds) < _LEAST:
        return None
    half = len(seconds) // 2
    before, after = percentile(seconds[:half], 0.5), percentile(seconds[half:], 0.5)
    return round(after / before - 1, 4) if before and after is not None else None


def _words(beat: Heard) -> str:
    failed = beat.failure
    assert failed is not None  # noqa: S101 - asked for bad ones only
    return f"{beat.began:%m-%d %H:%M} {failed.name}: {failed.code}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


DAYS = 30
"""So far back beats and incidents are shown."""
SLOTS = 2 * DAYS
"""So many stretches there are: each of half a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The beats of one stretch of time; *p50* is seconds to Ready, None where none was."""

    beats: int = 0
    missed: int = 0
    p50: float | None = None


Slots = dict[tuple[str, str, str], tuple[Slot, ...]]
"""By image, region and label."""


def slots(beats: Iterable[Heard], *, now: dt.datetime) -> Slots:
    """The last days before *now* in equal stretches, oldest first."""
    heard: dict[tuple[str, str, str], list[list[Heard]]] = defaultdict(
        lambda: [[] for _ in range(SLOTS)]
    )
    start, width = now - dt.timedelta(days=DAYS), dt.timedelta(days=DAYS) / SLOTS
    for one in beats:
        number = (one.began - start) // width
        if 0 <= number < SLOTS:
            heard[one.image, one.region, one.label][number].append(one)
    return {who: tuple(map(_slot, found)) for who, found in heard.items()}


def _slot(beats: list[Heard]) -> Slot:
    ready = [one.ready_seconds for one in beats if one.ready_seconds is not None]
    missed = sum(one.failure is not None for one in beats)
    return Slot(beats=len(beats), missed=missed, p50=percentile(ready, 0.5))
