"""Summaries agree with whole beats, and a stale or broken cache is written again."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest

from imagebake.heartbeat.history import region_statistics
from imagebake.heartbeat.model import AGENT, CREATE, PLAIN, TOKEN, Phase
from imagebake.heartbeat.records import BeatRecords, load_summaries
from imagebake.heartbeat.verdict import find_incidents, judge_beats
from tests.support.beats import BEGAN, NO_PACKAGE, a_beat

NEVER_READY = (Phase(CREATE, 0.5), Phase(AGENT, 9.0, "OSProvisioningTimedOut", "no", "host.test"))
BEATS = [
    a_beat(0),
    a_beat(0, number=1, label=PLAIN, region="northeurope", seconds=7.25),
    a_beat(1, NO_PACKAGE),
    a_beat(2, phases=NEVER_READY),
    a_beat(3, Phase(TOKEN, 0.1, "HTTP 500"), version="1.0.1", published=None),
    a_beat(30),
]


@pytest.fixture
def records(tmp_path: Path) -> BeatRecords:
    made = BeatRecords(folder=tmp_path / "beats", host="one")
    made.add(BEATS)
    return made


@pytest.mark.parametrize("kept", ["never", "before"])
def test_summaries_agree_with_whole_beats(records: BeatRecords, tmp_path: Path, kept: str) -> None:
    if kept == "before":
        load_summaries(records, tmp_path / "cache")

    summaries = load_summaries(records, tmp_path / "cache")

    whole = records.load()
    assert [beat.id for beat in summaries] == [beat.id for beat in whole]
    expected = [(beat.ready_seconds, beat.failure, beat.good, beat.version) for beat in summaries]
    assert expected == [
        (beat.ready_seconds, beat.failure, beat.good, beat.version) for beat in whole
    ]
    now = BEGAN + dt.timedelta(days=2)
    figures = [
        region_statistics(some, now=now, objectives={"demo": 9}) for some in (whole, summaries)
    ]
    assert figures[0] == figures[1]
    found = [find_incidents(judge_beats(some), {}) for some in (whole, summaries)]
    assert [incident.to_json() for incident in found[0]] == [
        incident.to_json() for incident in found[1]
    ]
    assert [incident.text for incident in found[0]] == [incident.text for incident in found[1]]


def test_beats_added_since_the_cache_was_written_are_read(
    records: BeatRecords, tmp_path: Path
) -> None:
    load_summaries(records, tmp_path / "cache")
    records.add([a_beat(4)])

    summaries = load_summaries(records, tmp_path / "cache")

    assert [beat.id for beat in summaries] == [beat.id for beat in records.load()]


def test_only_beats_from_the_given_time_on_are_read(records: BeatRecords, tmp_path: Path) -> None:
    summaries = load_summaries(records, tmp_path / "cache", BEGAN + dt.timedelta(hours=3))

    assert [beat.id for beat in summaries] == ["run3-0", "run30-0"]


def test_a_beat_in_two_files_is_one(records: BeatRecords, tmp_path: Path) -> None:
    for path in list(records.folder.glob("*.jsonl")):
        shutil.copy(path, path.with_name(path.name.replace("one", "two")))

    assert len(load_summaries(records, tmp_path / "cache")) == len(BEATS)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"of": 1, "digest": 0}', "null", '{"digest": 1, "of": []}']
)
def test_a_broken_cache_is_written_again(
    records: BeatRecords, tmp_path: Path, content: str
) -> None:
    load_summaries(records, tmp_path / "cache")
    places = list((tmp_path / "cache").iterdir())
    for place in places:
        place.write_text(content)

    assert len(load_summaries(records, tmp_path / "cache")) == len(BEATS)
    assert all(json.loads(place.read_text())["rows"] for place in places)


def test_records_are_read_where_no_cache_can_be_written(
    records: BeatRecords, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file is in the way")

    assert len(load_summaries(records, tmp_path / "cache")) == len(BEATS)


@pytest.mark.parametrize(
    "change",
    [
        {"beat": 7},
        {"id": 3},
        {"image": []},
        {"region": None},
        {"began": "2026-11-22T12:00:00"},
        {"began": 5},
        {"phases": [["create", "soon"]]},
        {"phases": None},
    ],
    ids=str,
)
def test_a_line_that_is_no_beat_costs_that_line_alone(
    records: BeatRecords, tmp_path: Path, change: dict[str, object]
) -> None:
    strange = json.dumps(a_beat(5).to_json() | change)
    path = min(records.folder.glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + strange.encode() + b'\n[]\nnull\n{"half')

    assert len(load_summaries(records, tmp_path / "cache")) == len(BEATS)


def test_no_records_give_no_summaries(tmp_path: Path) -> None:
    none = BeatRecords(folder=tmp_path / "none", host="one")

    assert load_summaries(none, tmp_path / "cache") == []
