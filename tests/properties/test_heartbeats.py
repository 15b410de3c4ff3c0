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
    for verdict in judge_beats(beats):
        here = [
            beat for beat in beats if beat.began == verdict.at and beat.region == verdict.region
        ]
        golden = [beat.good for beat in here if beat.label == GOLDEN]
        plain = [beat.good for beat in here if beat.label == PLAIN]
        if all(golden):
            assert verdict.cause in (Cause.HEALTHY, Cause.PLATFORM)
        if all(golden) and all(plain):
            assert verdict.cause is Cause.HEALTHY
        if not all(plain):
            assert verdict.cause is Cause.PLATFORM
        if verdict.cause is Cause.UNKNOWN:
            assert not plain


@given(rounds(), st.integers(1, 4))
def test_an_incident_is_open_just_while_the_last_rounds_all_missed(
    beats: list[Beat], misses: int
) -> None:
    verdicts = judge_beats(beats)
    found = find_incidents(verdicts, {"demo": misses})

    for region in REGIONS:
        mine = [verdict.cause is Cause.HEALTHY for verdict in verdicts if verdict.region == region]
        row = len(mine) - max((number for number, well in enumerate(mine, 1) if well), default=0)
        is_open = [incident for incident in found if incident.region == region and incident.open]
        assert len(is_open) == (row >= misses), (mine, found)
    for incident in found:
        assert incident.misses >= misses
        assert incident.first.at <= incident.opened <= incident.last.at
        assert incident.closed is None or incident.closed > incident.last.at
        assert len(incident.text) <= 256


@given(rounds(), rounds())
def test_records_of_two_machines_say_the_same_however_they_are_merged(
    here: list[Beat], there: list[Beat]
) -> None:
    theirs = [dataclasses.replace(beat, id=f"other{beat.id}") for beat in there]
    misses = {"demo": 2}

    first = find_incidents(judge_beats([*here, *theirs]), misses)

    assert first == find_incidents(judge_beats([*theirs, *here, *theirs]), misses)


@given(rounds(), st.integers(0, 10), st.floats(0.5, 9))
def test_who_is_silent_is_who_has_no_young_good_golden_beat(
    beats: list[Beat], later: int, hours: float
) -> None:
    now = BEGAN + dt.timedelta(hours=later)
    wanted = [("demo", region) for region in REGIONS]

    silent = {silence.region for silence in find_silences(beats, wanted, now=now, hours=hours)}

    young = {
        beat.region
        for beat in beats
        if beat.good and beat.label == GOLDEN and beat.began >= now - dt.timedelta(hours=hours)
    }
    assert silent == set(REGIONS) - young


@given(rounds())
def test_a_version_is_good_in_a_ring_where_its_last_beat_in_every_region_is(
    beats: list[Beat],
) -> None:
    golden = [beat for beat in beats if beat.label == GOLDEN]
    last = {beat.region: beat for beat in sorted(golden, key=lambda beat: beat.began)}

    health = ring_health(beats).get("canary", {})

    if last:
        version = golden[0].version_id.lower()
        assert health == {version: all(beat.good for beat in last.values())}
    else:
        assert not health
