"""Timelines, percentiles, and what makes a drill pass or fail."""

from __future__ import annotations

import pytest

from imagebake.drill.model import GOLDEN, PLAIN, STORE, ServiceTraffic, february_outage
from imagebake.drill.verdict import DrillVerdict, judge_drill
from imagebake.heartbeat.history import percentile
from imagebake.spec.model.options import Objectives
from tests.support.drills import a_plan, a_record, an_attempt


def broken(verdict: DrillVerdict) -> list[str]:
    return [point.name for point in verdict.points if not point.kept]


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [
        ((), 0.5, None),
        ((7.0,), 0.95, 7.0),
        ((3.0, 1.0, 2.0), 0.5, 2.0),
        (tuple(float(n) for n in range(1, 21)), 0.95, 19.0),
        (tuple(float(n) for n in range(1, 22)), 0.95, 20.0),
        ((1.0, 2.0), 1.0, 2.0),
    ],
)
def test_a_percentile_is_a_value_that_was_seen(
    values: tuple[float, ...], share: float, found: float | None
) -> None:
    assert percentile(values, share) == found


def test_the_outage_is_the_one_that_happened() -> None:
    line = february_outage()

    faults = [(line.clock(phase.start), phase.store, phase.identity) for phase in line.phases]
    assert faults == [
        ("17:03", "up", "none"),
        ("18:03", "409", "none"),
        ("00:08", "409", "429"),
        ("00:30", "up", "500"),
        ("06:05", "up", "none"),
    ]
    assert line.demands[0] < line.began < line.recovered_at < line.demands[-1] < line.end
    assert list(line.demands) == sorted(line.demands)


def test_a_drill_as_it_should_be_passes() -> None:
    verdict = judge_drill(a_record())

    assert broken(verdict) == []
    golden, plain = verdict.score(GOLDEN), verdict.score(PLAIN)
    assert (golden.asked, golden.ready, golden.impaired) == (4, 4, 0.0)
    assert (golden.p50, golden.p95) == (3.9, 5.0)
    assert (plain.asked, plain.failed) == (4, 2)
    assert (plain.impaired, plain.recovered) == (110.0, 200)
    assert (plain.store_requests, plain.store_peak, plain.identity_requests) == (12, 4, 2)


def test_a_golden_machine_that_fails_fails_the_drill() -> None:
    record = a_record()
    attempts = (*record.attempts, an_attempt(GOLDEN, 100, None))

    verdict = judge_drill(a_record(*attempts))

    assert broken(verdict) == [
        "Every golden machine becomes Ready",
        "Golden machines can be created again within 15 min",
    ]
    assert "the first that did not, at 18:40" in verdict.points[0].why


def test_recovery_in_time_is_within_the_objective() -> None:
    attempts = (*a_record().attempts, an_attempt(GOLDEN, 140, None))

    verdict = judge_drill(a_record(*attempts))

    assert broken(verdict) == ["Every golden machine becomes Ready"]


def test_machines_that_cannot_be_had_to_the_end_have_not_recovered() -> None:
    attempts = (*a_record().attempts, an_attempt(GOLDEN, 220, None))

    verdict = judge_drill(a_record(*attempts))

    assert verdict.score(GOLDEN).impaired is None
    assert "Golden machines can be created again within 15 min" in broken(verdict)


def test_slow_machines_miss_the_objective() -> None:
    plan = a_plan(objectives=Objectives(ready_seconds=4))

    assert broken(judge_drill(a_record(plan=plan))) == [
        "Golden machines are Ready within 4 s (p95)"
    ]


def test_a_single_request_of_a_golden_machine_fails_the_drill() -> None:
    seen = (ServiceTraffic(label=GOLDEN, service=STORE, by_minute={91: 1}),)

    assert broken(judge_drill(a_record(traffic=seen))) == ["Golden machines download nothing"]


def test_what_only_the_ledger_saw_counts_too() -> None:
    attempts = (*a_record().attempts, an_attempt(GOLDEN, 210, downloads=2))

    assert broken(judge_drill(a_record(*attempts))) == ["Golden machines download nothing"]


def test_a_plain_image_that_gets_through_fails_the_drill() -> None:
    attempts = tuple(
        an_attempt(label, minute) for label in (GOLDEN, PLAIN) for minute in (10, 90, 150, 200)
    )

    assert broken(judge_drill(a_record(*attempts))) == ["The plain image fails in the incident"]


def test_a_plain_image_that_never_worked_proves_nothing() -> None:
    attempts = tuple(
        an_attempt(label, minute, 4.0 if label == GOLDEN else None)
        for label in (GOLDEN, PLAIN)
        for minute in (10, 90, 150, 200)
    )

    assert broken(judge_drill(a_record(*attempts))) == ["The plain image works before the incident"]


def test_a_drill_without_machines_passes_nothing() -> None:
    plain = an_attempt(PLAIN, 90, None)

    assert "Every golden machine becomes Ready" in broken(judge_drill(a_record(plain)))
