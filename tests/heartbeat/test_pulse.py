"""Pulses say what whole beats say, and their digests can be trusted, or are made anew."""

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
def test_pulses_say_what_whole_beats_say(records: BeatRecords, tmp_path: Path, kept: str) -> None:
    if kept == "before":
        load_summaries(records, tmp_path / "kept")

    pulses = load_summaries(records, tmp_path / "kept")

    whole = records.load()
    assert [one.id for one in pulses] == [one.id for one in whole]
    told = [(one.ready_seconds, one.failure, one.good, one.version) for one in pulses]
    assert told == [(one.ready_seconds, one.failure, one.good, one.version) for one in whole]
    now = BEGAN + dt.timedelta(days=2)
    figures = [region_statistics(some, now=now, objectives={"demo": 9}) for some in (whole, pulses)]
    assert figures[0] == figures[1]
    found = [find_incidents(judge_beats(some), {}) for some in (whole, pulses)]
    assert [one.to_json() for one in found[0]] == [one.to_json() for one in found[1]]
    assert [one.text for one in found[0]] == [one.text for one in found[1]]


def test_what_was_added_since_is_read(records: BeatRecords, tmp_path: Path) -> None:
    load_summaries(records, tmp_path / "kept")
    records.add([a_beat(4)])

    pulses = load_summaries(records, tmp_path / "kept")

    assert [one.id for one in pulses] == [one.id for one in records.load()]


def test_only_what_is_young_enough_is_read(records: BeatRecords, tmp_path: Path) -> None:
    pulses = load_summaries(records, tmp_path / "kept", BEGAN + dt.timedelta(hours=3))

    assert [one.id for one in pulses] == ["run3-0", "run30-0"]


def test_a_beat_in_two_files_is_one(records: BeatRecords, tmp_path: Path) -> None:
    for path in list(records.folder.glob("*.jsonl")):
        shutil.copy(path, path.with_name(path.name.replace("one", "two")))

    assert len(load_summaries(records, tmp_path / "kept")) == len(BEATS)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"of": 1, "digest": 0}', "null", '{"digest": 1, "of": []}']
)
def test_a_digest_that_is_none_is_made_anew(
    records: BeatRecords, tmp_path: Path, content: str
) -> None:
    load_summaries(records, tmp_path / "kept")
    places = list((tmp_path / "kept").iterdir())
    for place in places:
        place.write_text(content)

    assert len(load_summaries(records, tmp_path / "kept")) == len(BEATS)
    assert all(json.loads(place.read_text())["rows"] for place in places)


def test_where_no_digest_can_be_kept_the_records_are_read(
    records: BeatRecords, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("a file is in the way")

    assert len(load_summaries(records, tmp_path / "kept")) == len(BEATS)


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

    assert len(load_summaries(records, tmp_path / "kept")) == len(BEATS)


def test_there_need_be_no_records(tmp_path: Path) -> None:
    none = BeatRecords(folder=tmp_path / "none", host="one")

    assert load_summaries(none, tmp_path / "kept") == []
