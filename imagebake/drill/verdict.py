"""Whether a drill went well, by its record alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagebake.drill.model import GOLDEN, IDENTITY, PLAIN, STORE, DrillRecord
from imagebake.heartbeat.history import percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One image's part of the drill in numbers.

    *impaired* is for how many minutes of the timeline machines could not be had, from the
    first that failed to the first after which none did; 0 when none failed, None when that
    was not seen to end. *recovered* is the minute it ended at.
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
        """How many machines were asked for in vain."""
        return self.asked - self.ready

    def to_json(self) -> dict[str, Any]:
        """The numbers for programs."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {
            "failed": self.failed
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing that had to be so, in a sentence; *why* is what was seen."""

    name: str
    kept: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The scores, and every point that had to be kept."""

    scores: tuple[Score, ...]
    points: tuple[Point, ...]

    @property
    def passed(self) -> bool:
        """Whether every point was kept."""
        return all(point.kept for point in self.points)

    def score(self, label: str) -> Score:
        """The numbers of one image."""
        return next(one for one in self.scores if one.label == label)

    def to_json(self) -> dict[str, Any]:
        """The verdict for programs."""
        return {
            "passed": self.passed,
            "scores": {one.label: one.to_json() for one in self.scores},
            "points": [
                {"name": point.name, "kept": point.kept, "why": point.why} for point in self.points
            ],
        }


def score(record: DrillRecord, label: str) -> Score:
    """The numbers of one image."""
    attempts = record.of(label)
    seconds = [one.seconds for one in attempts if one.seconds is not None]
    store, identity = record.requests(label, STORE), record.requests(label, IDENTITY)
    told = [one.downloads for one in attempts if one.downloads is not None]
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
        downloads=sum(told) if told else None,
        impaired=impaired,
        recovered=recovered,
    )


def judge(record: DrillRecord) -> Verdict:
    """Judge the golden image by its objectives, and the drill by the plain one's failure."""
    golden, plain = score(record, GOLDEN), score(record, PLAIN)
    points = (
        _all_ready(record, golden),
        _in_time(record, golden),
        _recovery(record, golden),
        _silent(golden),
        _plain_works(record, plain),
        _plain_fails(record, plain),
    )
    return Verdict(scores=(golden, plain), points=points)


def _impairment(record: DrillRecord, label: str) -> tuple[float | None, float | None]:
    attempts = record.of(label)
    failed = [one.minute for one in attempts if not one.ready]
    if not failed:
        return 0.0, None
    after = [one.minute for one in attempts if one.ready and one.minute > failed[-1]]
    return (after[0] - failed[0], after[0]) if after else (None, None)


def _all_ready(record: DrillRecord, golden: Score) -> Point:
    bad = next((one for one in record.of(GOLDEN) if not one.ready), None)
    why = f"{golden.ready} of {golden.asked} machines became Ready"
    if bad:
        clock = record.plan.timeline.clock(bad.minute)
        why += f"; the first that did not, at {clock}: {bad.code}: {bad.message}"
    return Point(
        name="Every golden machine becomes Ready", kept=bad is None and golden.asked > 0, why=why
    )


def _in_time(record: DrillRecord, golden: Score) -> Point:
    limit = record.plan.objectives.ready_seconds
    kept = golden.p95 is not None and golden.p95 <= limit
    seen = "none was Ready" if golden.p95 is None else f"p95 was {golden.p95:.1f} s"
    return Point(name=f"Golden machines are Ready within {limit:g} s (p95)", kept=kept, why=seen)


def _recovery(record: DrillRecord, golden: Score) -> Point:
    limit = record.plan.objectives.recovery_minutes
    if golden.impaired is None:
        why = "they could not be had to the end"
    elif golden.impaired:
        why = f"they could not be had for {golden.impaired:.0f} minutes"
    else:
        why = "they could be had the whole time"
    kept = golden.impaired is not None and golden.impaired <= limit
    return Point(name=f"Golden machines can be had again within {limit:g} min", kept=kept, why=why)


def _silent(golden: Score) -> Point:
    asked = golden.store_requests + golden.identity_requests + (golden.downloads or 0)
    seen = "nothing was asked" if not asked else f"{asked} requests, connections and questions"
    if golden.downloads is None and not asked:
        seen = "nothing was seen to be asked; there is no ledger here"
    return Point(name="Golden machines download nothing", kept=asked == 0, why=seen)


def _plain_works(record: DrillRecord, plain: Score) -> Point:
    """Without this the plain image's failure would prove nothing."""
    del plain
    before = [one for one in record.of(PLAIN) if one.minute < record.plan.timeline.began]
    ready = [one for one in before if one.ready]
    kept = bool(before) and len(ready) == len(before)
    why = f"{len(ready)} of {len(before)} were Ready before anything was broken"
    bad = next((one for one in before if not one.ready), None)
    if bad:
        why += f": {bad.code}: {bad.message}"
    return Point(name="The plain image works while nothing is broken", kept=kept, why=why)


def _plain_fails(record: DrillRecord, plain: Score) -> Point:
    line = record.plan.timeline
    during = [one for one in record.of(PLAIN) if line.began <= one.minute < line.mended]
    failed = [one for one in during if not one.ready]
    why = f"{len(failed)} of {len(during)} machines asked for in the incident failed"
    if plain.failed and failed:
        why += f", the first with {failed[0].code}"
    return Point(name="The plain image fails in the incident", kept=bool(failed), why=why)
