"""The concerns of a dashboard, its JSON, and beats in half days."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

from imagebake.dashboard.model import GateSummary
from imagebake.heartbeat.history import BUCKETS, TimeBucket, time_buckets
from imagebake.heartbeat.model import PLAIN
from tests.support.beats import BEGAN, NO_PACKAGE, a_beat
from tests.support.dashboards import a_bad_day, a_dashboard, a_ring, ago, an_image, an_incident


def test_on_a_quiet_day_nothing_concerns_anybody() -> None:
    assert a_dashboard().concerns == ()


def test_what_is_grave_comes_first() -> None:
    told = [(one.section, one.grave) for one in a_bad_day().concerns]

    assert told == [
        ("incidents", True),
        ("incidents", True),
        ("gate", False),
        ("images", False),
        ("quotas", False),
        ("runbooks", False),
    ]


def test_a_closed_gate_is_grave_unless_it_is_a_freeze_or_told_as_an_incident() -> None:
    closed = GateSummary(state="closed", why="incident: Azure says so")

    def graves(**changes: object) -> list[bool]:
        return [one.grave for one in a_dashboard(**changes).concerns if one.section == "gate"]

    assert graves(gate=closed) == [True]
    assert graves(gate=closed, incidents=(an_incident(),)) == [False]
    assert graves(gate=replace(closed, why="freeze: no sleep (ops)")) == [False]
    assert graves(gate=GateSummary(state="unknown", why="nobody answers")) == [False]


def test_a_version_that_is_not_good_is_grave_and_an_old_one_is_named_once() -> None:
    rings = (a_ring("early", age_days=31.0), a_ring("broad", age_days=44.0, flaw="it is retired"))
    seen = a_dashboard(images=(an_image(rings=rings),), remarks=("1 scale set asks for too much",))

    assert [one.text for one in seen.concerns] == [
        "debian-12-base@2026.1110.0 in ring broad: it is retired",
        "debian-12-base is 44 days old in early, broad; its objective is 30 days",
        "1 scale set asks for too much",
    ]


def test_for_programs_it_is_json_with_times_as_text() -> None:
    told = json.loads(json.dumps(a_bad_day().to_json()))

    assert told["dashboard"] == 1
    assert told["at"] == "2026-11-22T12:00:00+00:00"
    assert told["incidents"][0]["said"] == a_bad_day().incidents[0].sentence
    assert "sentence" not in told["incidents"][0]
    assert told["regions"][0]["figures"]["last"] == ago(minutes=9).isoformat()
    assert len(told["regions"][0]["slots"]) == BUCKETS
    assert told["concerns"][0]["section"] == "incidents"


def test_beats_are_told_by_half_days_oldest_first() -> None:
    now = BEGAN + dt.timedelta(days=1)
    beats = [
        a_beat(0, seconds=4.0),
        a_beat(1, NO_PACKAGE, seconds=6.0),
        a_beat(13, seconds=9.0),
        a_beat(2, label=PLAIN),
        a_beat(-24 * 40),
        a_beat(24),
    ]

    found = time_buckets(beats, now=now)

    west = found["demo", "westeurope", "golden"]
    assert len(west) == BUCKETS
    assert west[-2:] == (
        TimeBucket(beats=2, missed=1, p50=4.0),
        TimeBucket(beats=1, missed=0, p50=9.0),
    )
    assert set(west[:-2]) == {TimeBucket()}
    assert sum(one.beats for one in found["demo", "westeurope", PLAIN]) == 1
