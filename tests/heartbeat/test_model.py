from __future__ import annotations

import datetime as dt
import json

import pytest

from imagebake.heartbeat.history import region_statistics
from imagebake.heartbeat.model import (
    AGENT,
    CREATE,
    PLAIN,
    READY,
    Beat,
    NetworkRequests,
    Phase,
    beat_line,
)
from tests.support.beats import BEGAN, NO_PACKAGE, a_beat, phases


def test_a_beat_is_read_as_it_was_written() -> None:
    beat = a_beat(
        3,
        NO_PACKAGE,
        requests=NetworkRequests(4, ("packages-1.store.test",)),
        cleanup_error="it stays",
    )

    assert Beat.of_json(json.loads(beat_line(beat))) == beat
    assert beat_line(beat).count(b"\n") == 1


def test_a_beat_of_another_format_is_not_read() -> None:
    with pytest.raises(ValueError, match="format 2"):
        Beat.of_json(a_beat().to_json() | {"beat": 2})


def test_the_time_to_ready_ends_with_the_agent_and_needs_all_before_it() -> None:
    late = a_beat(phases=(Phase(CREATE, 1.0), Phase(READY, 2.0), Phase(AGENT, 3.0, "Slow")))

    assert a_beat(0, NO_PACKAGE, seconds=7.0).ready_seconds == 7.0
    assert late.ready_seconds is None
    assert late.failure == Phase(AGENT, 3.0, "Slow")


def test_history_has_figures_for_each_region_and_label() -> None:
    beats = [
        *(a_beat(run, seconds=4.0) for run in range(10)),
        *(a_beat(run, seconds=8.0) for run in range(10, 20)),
        a_beat(20, NO_PACKAGE, region="northeurope"),
        a_beat(20, label=PLAIN, number=1),
    ]

    north, west, plain = region_statistics(beats, now=BEGAN, objectives={"demo": 7})

    assert (west.beats, west.failed, west.p50, west.p95, west.trend) == (20, 0, 4.0, 8.0, 1.0)
    assert (north.failed, north.last_good) == (1, None)
    assert plain.label == PLAIN
    assert west.age_days == 10
    assert west.too_old
    assert "of 7 !" in west.cells[9]
    assert north.cells[10].endswith("VMExtensionHandlerNonTransientError")


def test_the_order_of_records_does_not_matter() -> None:
    beats = [a_beat(run, seconds=3.0 + run) for run in range(6)]

    shuffled = [*beats[3:], *beats[:3], beats[1]]

    assert region_statistics(shuffled, now=BEGAN, objectives={}) == region_statistics(
        beats, now=BEGAN, objectives={}
    )


def test_a_trend_needs_some_beats() -> None:
    (figures,) = region_statistics(
        [a_beat(0), a_beat(1)], now=BEGAN + dt.timedelta(days=1), objectives={}
    )

    assert figures.trend is None
    assert figures.age_objective is None
    assert not figures.too_old


def test_builders_make_whole_beats() -> None:
    assert a_beat(0).good
    assert sum(phase.seconds for phase in phases()[:3]) == 4.0
