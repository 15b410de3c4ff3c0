"""A small storm with the real clients, and what is said of storms."""

from __future__ import annotations

import datetime as dt

import pytest

from imagebake.drill.token_storm import (
    OURS,
    SDK,
    ClientWave,
    StormPlan,
    StormRecord,
    simulate_token_storm,
)
from imagebake.drill.token_storm_report import headline, markdown, token_storm_page
from tests.support.bake_services import Tape
from tests.support.golden import Golden

SMALL = StormPlan(machines=12, programs=3, spread=4.0, outage=60.0, capacity=5)


def a_small_storm(seed: int = 7) -> StormRecord:
    return simulate_token_storm(
        SMALL, seed=seed, now=lambda: dt.datetime.now(dt.UTC), progress=Tape()
    )


@pytest.fixture(scope="module")
def record() -> StormRecord:
    return a_small_storm()


def test_every_machine_gets_its_tokens_in_the_end(record: StormRecord) -> None:
    for wave in record.waves:
        assert len(wave.served) == SMALL.machines
        assert min(wave.served) >= SMALL.outage


def test_ours_asks_less_and_never_all_at_once(record: StormRecord) -> None:
    theirs, ours = record.wave(SDK), record.wave(OURS)

    assert record.complaints == ()
    assert ours.total * 2 < theirs.total
    assert ours.peak < theirs.peak


def test_the_sdk_asks_as_often_as_it_says_it_does(record: StormRecord) -> None:
    """Six times in a row, then again after a restart: the measure that ours is held against."""
    theirs = record.wave(SDK)
    least = SMALL.machines * SMALL.programs * 6

    assert theirs.total > least


def test_the_same_seed_gives_the_same_storm(record: StormRecord) -> None:
    assert a_small_storm().wave(OURS) == record.wave(OURS)


def a_wave(kind: str, arrivals: dict[int, int], last: float, machines: int = 2) -> ClientWave:
    return ClientWave(kind=kind, arrivals=arrivals, served=(last - 5.0, last), machines=machines)


def told() -> StormRecord:
    waves = (
        a_wave(SDK, {0: 40, 1: 20, 100: 60, 181: 80}, 190.0),
        a_wave(OURS, {0: 10, 50: 4, 182: 6}, 215.0),
    )
    return StormRecord(plan=StormPlan(machines=2), waves=waves)


def test_a_wave_is_measured_from_its_first_request_to_its_last() -> None:
    wave = told().wave(SDK)

    assert (wave.total, wave.peak, wave.last, wave.median) == (200, 80, 190.0, 185.0)
    assert wave.mean == pytest.approx(200 / 182)


def test_the_price_is_part_of_the_headline() -> None:
    assert headline(told()) == (
        "200 requests became 20, and 80 in the worst second became 10."
        " The price: the last machine had its tokens 25 s later."
    )


def test_ours_is_not_praised_when_it_is_worse() -> None:
    waves = (a_wave(SDK, {0: 5}, 190.0), a_wave(OURS, {0: 9}, 999.0, machines=3))
    record = StormRecord(plan=StormPlan(machines=2), waves=waves)

    assert record.complaints == (
        "1 machines never got a token",
        "9 requests are no fewer than 5",
        "its worst second, 9, is no better",
    )
    assert headline(record).startswith("The storm is no better with imagebake: 1 machines")


def test_the_reports_of_a_storm(golden: Golden) -> None:
    golden.check("reports/storm.md", markdown(told()))
    golden.check("reports/storm.html", token_storm_page(told()))
