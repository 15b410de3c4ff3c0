"""Statistics of beats by image, region and label: time to Ready, failures, trend and age."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from imagebake.heartbeat.model import BeatOutcome, sort_beats


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the nearest-rank percentile: the least value that *share* of all do not exceed."""
    ordered = sorted(values)
    if not ordered:
        return None
    # The ceiling of the product, in integers: 0.07 * 100 exceeds 7 in floating point.
    rank = max(1, -(-len(ordered) * round(share * 100) // 100))
    return ordered[rank - 1]


COLUMNS = (
    "IMAGE", "REGION", "LABEL", "LAST", "BEATS", "FAILED", "P50", "P95", "TREND", "AGE",
    "LAST FAILURE",
)  # fmt: skip
_DAY = 86400.0
_TREND_BEATS = 4
"""Beats that reached Ready that a trend needs at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionStatistics:
    """Statistics of one image in one region under one label.

    *p50* and *p95* are seconds until the agent was Ready. *trend* is the relative change of the
    median from the earlier half of the beats to the later one. *age_days* is the present age of
    the version of the last beat, *age_objective* the maximum that its spec allows.
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
        """The statistics as the cells of a table row under `COLUMNS`."""
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
        """Return the statistics for `--json`."""
        return asdict(self) | {
            "last": self.last.isoformat(),
            "last_good": self.last_good.isoformat() if self.last_good else None,
            "too_old": self.too_old,
        }


def region_statistics(
    beats: Iterable[BeatOutcome], *, now: dt.datetime, objectives: Mapping[str, int]
) -> list[RegionStatistics]:
    """Compute statistics by image, region and label.

    *objectives* are the maximum ages in days of the specs, by image.
    """
    groups: dict[tuple[str, str, str], list[BeatOutcome]] = defaultdict(list)
    for beat in sort_beats(beats):
        groups[beat.image, beat.region, beat.label].append(beat)
    return [
        _statistics(group, now, objectives.get(image))
        for (image, _, _), group in sorted(groups.items())
    ]


def _statistics(
    beats: list[BeatOutcome], now: dt.datetime, objective: int | None
) -> RegionStatistics:
    last = beats[-1]
    ready = [seconds for beat in beats if (seconds := beat.ready_seconds) is not None]
    bad = [beat for beat in beats if not beat.good]
    age = (now - last.published).total_seconds() / _DAY if last.published else None
    return RegionStatistics(
        image=last.image,
        region=last.region,
        label=last.label,
        beats=len(beats),
        failed=len(bad),
        last=last.began,
        last_good=next((beat.began for beat in reversed(beats) if beat.good), None),
        version=last.version,
        p50=percentile(ready, 0.5),
        p95=percentile(ready, 0.95),
        trend=_trend(ready),
        age_days=None if age is None else round(age, 2),
        age_objective=objective,
        last_failure=_failure_text(bad[-1]) if bad else "",
    )


def _trend(seconds: list[float]) -> float | None:
    if len(seconds) < _TREND_BEATS:
        return None
    half = len(seconds) // 2
    before, after = percentile(seconds[:half], 0.5), percentile(seconds[half:], 0.5)
    return round(after / before - 1, 4) if before and after is not None else None


def _failure_text(beat: BeatOutcome) -> str:
    failed = beat.failure
    assert failed is not None  # noqa: S101 - the caller passes failed beats only
    return f"{beat.began:%m-%d %H:%M} {failed.name}: {failed.code}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


DAYS = 30
"""Days of beats and incidents that the dashboard shows."""
BUCKETS = 2 * DAYS
"""Number of time buckets: half a day each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBucket:
    """The beats of half a day; *p50* is in seconds to Ready, None where no machine was."""

    beats: int = 0
    missed: int = 0
    p50: float | None = None


BucketsByGroup = dict[tuple[str, str, str], tuple[TimeBucket, ...]]
"""By image, region and label."""


def time_buckets(beats: Iterable[BeatOutcome], *, now: dt.datetime) -> BucketsByGroup:
    """Group the beats of the last `DAYS` before *now* into equal buckets, oldest first."""
    by_bucket: dict[tuple[str, str, str], list[list[BeatOutcome]]] = defaultdict(
        lambda: [[] for _ in range(BUCKETS)]
    )
    start, width = now - dt.timedelta(days=DAYS), dt.timedelta(days=DAYS) / BUCKETS
    for beat in beats:
        number = (beat.began - start) // width
        if 0 <= number < BUCKETS:
            by_bucket[beat.image, beat.region, beat.label][number].append(beat)
    return {group: tuple(map(_bucket, found)) for group, found in by_bucket.items()}


def _bucket(beats: list[BeatOutcome]) -> TimeBucket:
    ready = [beat.ready_seconds for beat in beats if beat.ready_seconds is not None]
    missed = sum(beat.failure is not None for beat in beats)
    return TimeBucket(beats=len(beats), missed=missed, p50=percentile(ready, 0.5))
