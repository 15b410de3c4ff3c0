"""Records of beats: added to by many, merged by copying, never broken for good."""

from __future__ import annotations

import datetime as dt
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from imagebake.heartbeat.records import BeatRecords
from tests.support.beats import BEGAN, NO_PACKAGE, a_beat


def test_what_was_added_is_read_by_time_and_each_once(tmp_path: Path) -> None:
    records = BeatRecords(folder=tmp_path / "beats", host="one")

    records.add([a_beat(30), a_beat(2, NO_PACKAGE)])
    records.add([a_beat(2, NO_PACKAGE)])

    assert records.load() == [a_beat(2, NO_PACKAGE), a_beat(30)]
    assert len(list((tmp_path / "beats").glob("*.jsonl"))) == 2


def test_there_need_be_no_records(tmp_path: Path) -> None:
    assert BeatRecords(folder=tmp_path / "none", host="one").load() == []


def test_only_what_is_young_enough_is_read(tmp_path: Path) -> None:
    records = BeatRecords(folder=tmp_path, host="one")
    records.add(a_beat(run) for run in range(60))

    young = records.load(BEGAN + dt.timedelta(hours=50))

    assert [beat.id for beat in young] == [f"run{run}-0" for run in range(50, 60)]


def test_directories_of_machines_are_merged_by_copying(tmp_path: Path) -> None:
    here = BeatRecords(folder=tmp_path / "here", host="one")
    there = BeatRecords(folder=tmp_path / "there", host="two")
    here.add([a_beat(1), a_beat(3)])
    there.add([a_beat(2), a_beat(4)])

    shutil.copytree(there.folder, here.folder, dirs_exist_ok=True)

    assert [beat.id for beat in here.load()] == ["run1-0", "run2-0", "run3-0", "run4-0"]


def test_half_a_line_costs_that_line_alone(tmp_path: Path) -> None:
    records = BeatRecords(folder=tmp_path, host="one")
    records.add([a_beat(1)])
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes() + b'{"beat": 1, "id": "half')

    records.add([a_beat(2)])
    path.write_bytes(path.read_bytes() + b'{"beat": 7}\n[]\nnull\n"no"\n')

    assert [beat.id for beat in records.load()] == ["run1-0", "run2-0"]


def test_writers_side_by_side_lose_nothing(tmp_path: Path) -> None:
    def write(number: int) -> None:
        BeatRecords(folder=tmp_path, host="one").add([a_beat(number % 10, number=number)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))

    assert len(BeatRecords(folder=tmp_path, host="one").load()) == 40
