"""Verdict on a drill, computed from its record alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagebake.drill.model import GOLDEN, IDENTITY, PLAIN, STORE, DrillRecord
from imagebake.heartbeat.history import percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Measurements of one image in the drill.

    *impaired* is the number of minutes of the timeline from the first machine that failed to the
    first that became Ready after the last failure; 0 when none failed, None when none became
    Ready after it. *recovered* is the minute it ended at.
    """

    label: str
    asked: int
    ready: int
    p50: float | None
    p95: float | None
    store_requests: int
    store_peak: int
    identity_requests: int
    identity_peak: int
    downloads: int | None
    impaired: float | None
    recovered: float | None

    @property
    def failed(self) -> int:
        """Number of machines that never became Ready."""
        return self.asked - self.ready

    def to_json(self) -> dict[str, Any]:
        """Return the measurements for `--json`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "failed": self.failed
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A criterion of the drill, whether it was *kept*, and the observation that decides it."""

    name: str
    kept: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillVerdict:
    """Scores of both images, and every criterion."""

    scores: tuple[Score, ...]
    points: tuple[Criterion, ...]

    @property
    def passed(self) -> bool:
        """Whether every criterion was kept."""
        return all(point.kept for point in self.points)

    def score(self, label: str) -> Score:
        """Return the score of one image."""
        return next(score for score in self.scores if score.label == label)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict for `--json`."""
        return {
            "passed": self.passed,
            "scores": {score.label: score.to_json() for score in self.scores},
            "points": [
                {"name": point.name, "kept": point.kept, "why": point.why} for point in self.points
            ],
        }


def score_image(record: DrillRecord, label: str) -> Score:
    """Measure one image."""
    attempts = record.of(label)
    seconds = [attempt.seconds for attempt in attempts if attempt.seconds is not None]
    store, identity = record.requests(label, STORE), record.requests(label, IDENTITY)
    downloads = [attempt.downloads for attempt in attempts if attempt.downloads is not None]
    impaired, recovered = _impairment(record, label)
    return Score(
        label=label,
        asked=len(attempts),
        ready=len(seconds),
        p50=percentile(seconds, 0.5),
        p95=percentile(seconds, 0.95),
        store_requests=store.total,
        store_peak=store.peak,
        identity_requests=identity.total,
        identity_peak=identity.peak,
        downloads=sum(downloads) if downloads else None,
        impaired=impaired,
        recovered=recovered,
    )


def judge_drill(record: DrillRecord) -> DrillVerdict:
    """Judge the golden image by its objectives, and the drill by the plain image's failure."""
    golden, plain = score_image(record, GOLDEN), score_image(record, PLAIN)
    points = (
        _all_ready(record, golden),
        _ready_in_time(record, golden),
        _recovery(record, golden),
        _no_downloads(golden),
        _plain_works(record),
        _plain_fails(record, plain),
    )
    return DrillVerdict(scores=(golden, plain), points=points)


def _impairment(record: DrillRecord, label: str) -> tuple[float | None, float | None]:
    attempts = record.of(label)
    failed = [attempt.minute for attempt in attempts if not attempt.ready]
    if not failed:
        return 0.0, None
    after = [
        attempt.minute for attempt in attempts if attempt.ready and attempt.minute > failed[-1]
    ]
    return (after[0] - failed[0], after[0]) if after else (None, None)


def _all_ready(record: DrillRecord, golden: Score) -> Criterion:
    bad = next((attempt for attempt in record.of(GOLDEN) if not attempt.ready), None)
    why = f"{golden.ready} of {golden.asked} machines became Ready"
    if bad:
        clock = record.plan.timeline.clock(bad.minute)
        why += f"; the first that did not, at {clock}: {bad.code}: {bad.message}"
    return Criterion(
        name="Every golden machine becomes Ready", kept=bad is None and golden.asked > 0, why=why
    )


def _ready_in_time(record: DrillRecord, golden: Score) -> Criterion:
    limit = record.plan.objectives.ready_seconds
    kept = golden.p95 is not None and golden.p95 <= limit
    seen = "no machine became Ready" if golden.p95 is None else f"p95 was {golden.p95:.1f} s"
    return Criterion(
        name=f"Golden machines are Ready within {limit:g} s (p95)", kept=kept, why=seen
    )


def _recovery(record: DrillRecord, golden: Score) -> Criterion:
    limit = record.plan.objectives.recovery_minutes
    if golden.impaired is None:
        why = "creation failed to the end"
    elif golden.impaired:
        why = f"creation failed for {golden.impaired:.0f} minutes"
    else:
        why = "creation never failed"
    kept = golden.impaired is not None and golden.impaired <= limit
    return Criterion(
        name=f"Golden machines can be created again within {limit:g} min", kept=kept, why=why
    )


def _no_downloads(golden: Score) -> Criterion:
    asked = golden.store_requests + golden.identity_requests + (golden.downloads or 0)
    seen = "no requests" if not asked else f"{asked} requests, connections and DNS queries"
    if golden.downloads is None and not asked:
        seen = "no request to either service; this cloud keeps no ledger"
    return Criterion(name="Golden machines download nothing", kept=asked == 0, why=seen)


def _plain_works(record: DrillRecord) -> Criterion:
    """Require that the plain image works before the incident: else its failure proves nothing."""
    before = [
        attempt for attempt in record.of(PLAIN) if attempt.minute < record.plan.timeline.began
    ]
    ready = [attempt for attempt in before if attempt.ready]
    kept = bool(before) and len(ready) == len(before)
    why = f"{len(ready)} of {len(before)} were Ready before the first fault"
    bad = next((attempt for attempt in before if not attempt.ready), None)
    if bad:
        why += f": {bad.code}: {bad.message}"
    return Criterion(name="The plain image works before the incident", kept=kept, why=why)


def _plain_fails(record: DrillRecord, plain: Score) -> Criterion:
    line = record.plan.timeline
    during = [
        attempt for attempt in record.of(PLAIN) if line.began <= attempt.minute < line.recovered_at
    ]
    failed = [attempt for attempt in during if not attempt.ready]
    why = f"{len(failed)} of {len(during)} machines created in the incident failed"
    if plain.failed and failed:
        why += f", the first with {failed[0].code}"
    return Criterion(name="The plain image fails in the incident", kept=bool(failed), why=why)
