"""Laws of the judgement over beats, whatever the beats say."""

from __future__ import annotations

import dataclasses
import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from imagebake.heartbeat.model import GOLDEN, PLAIN, TOKEN, Beat, Phase
from imagebake.heartbeat.verdict import (
    Cause,
    find_incidents,
    find_silences,
    judge_beats,
    ring_health,
)
from tests.support.beats import BEGAN, NO_PACKAGE, a_beat

REGIONS = ("westeurope", "northeurope")


@st.composite
def rounds(draw: st.DrawFn) -> list[Beat]:
    """Some hours of beats in two regions, some with a plain machine beside, in any order."""
    beats: list[Beat] = []
    for run in range(draw(st.integers(1, 8))):
        for number, region in enumerate(REGIONS):
            labels = draw(st.sampled_from([(), (GOLDEN,), (GOLDEN, PLAIN)]))
            for label in labels:
                failure = draw(
                    st.sampled_from([None, NO_PACKAGE, Phase(TOKEN, 1.0, "CheckFailed")])
                )
                more = (failure,) if failure else ()
                here = 2 * number + (label == PLAIN)
                beats.append(a_beat(run, *more, region=region, label=label, number=here))
    return draw(st.permutations(beats))


@given(rounds())
def test_a_good_golden_beat_never_blames_the_image(beats: list[Beat]) -> None:
    for told in judge_beats(beats):
        here = [one for one in beats if one.began == told.at and one.region == told.region]
        golden = [one.good for one in here if one.label == GOLDEN]
        plain = [one.good for one in here if one.label == PLAIN]
        if all(golden):
            assert told.cause in (Cause.HEALTHY, Cause.PLATFORM)
        if all(golden) and all(plain):
            assert told.cause is Cause.HEALTHY
        if not all(plain):
            assert told.cause is Cause.PLATFORM
        if told.cause is Cause.UNKNOWN:
            assert not plain


@given(rounds(), st.integers(1, 4))
def test_an_incident_is_open_just_while_the_last_rounds_all_missed(
    beats: list[Beat], misses: int
) -> None:
    told = judge_beats(beats)
    found = find_incidents(told, {"demo": misses})

    for region in REGIONS:
        mine = [one.cause is Cause.HEALTHY for one in told if one.region == region]
        row = len(mine) - max((number for number, well in enumerate(mine, 1) if well), default=0)
        is_open = [one for one in found if one.region == region and one.open]
        assert len(is_open) == (row >= misses), (mine, found)
    for one in found:
        assert one.misses >= misses
        assert one.first.at <= one.opened <= one.last.at
        assert one.closed is None or one.closed > one.last.at
        assert len(one.text) <= 256


@given(rounds(), rounds())
def test_records_of_two_machines_say_the_same_however_they_are_merged(
    here: list[Beat], there: list[Beat]
) -> None:
    theirs = [dataclasses.replace(one, id=f"other{one.id}") for one in there]
    misses = {"demo": 2}

    first = find_incidents(judge_beats([*here, *theirs]), misses)

    assert first == find_incidents(judge_beats([*theirs, *here, *theirs]), misses)


@given(rounds(), st.integers(0, 10), st.floats(0.5, 9))
def test_who_is_silent_is_who_has_no_young_good_golden_beat(
    beats: list[Beat], later: int, hours: float
) -> None:
    now = BEGAN + dt.timedelta(hours=later)
    wanted = [("demo", region) for region in REGIONS]

    silent = {one.region for one in find_silences(beats, wanted, now=now, hours=hours)}

    young = {
        one.region
        for one in beats
        if one.good and one.label == GOLDEN and one.began >= now - dt.timedelta(hours=hours)
    }
    assert silent == set(REGIONS) - young


@given(rounds())
def test_a_version_is_good_in_a_ring_where_its_last_beat_in_every_region_is(
    beats: list[Beat],
) -> None:
    golden = [one for one in beats if one.label == GOLDEN]
    last = {one.region: one for one in sorted(golden, key=lambda one: one.began)}

    told = ring_health(beats).get("canary", {})

    if last:
        version = golden[0].version_id.lower()
        assert told == {version: all(one.good for one in last.values())}
    else:
        assert not told
