"""Every bake leaves a record, however it ends."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from imagebake.build.journal import BakeJournal
from imagebake.kernel.errors import BakeFailed

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def journal(tmp_path: Path) -> BakeJournal:
    times = iter(NOW + dt.timedelta(seconds=count) for count in range(100))
    return BakeJournal(folder=tmp_path / "records", clock=lambda: next(times))


def lines(journal: BakeJournal) -> list[dict[str, object]]:
    (path,) = journal.folder.iterdir()
    return [json.loads(text) for text in path.read_text().splitlines()]


def test_a_bake_has_a_line_for_its_beginning_and_one_for_its_end(journal: BakeJournal) -> None:
    with journal.bake("demo", {"bake_key": "key"}) as end:
        assert [one["event"] for one in lines(journal)] == ["begun"]
        end["outcome"] = "baked"

    assert [one["event"] for one in lines(journal)] == ["begun", "ended"]
    (attempt,) = journal.attempts("demo")
    assert (attempt.outcome, attempt.failed, attempt.begun) == ("baked", False, NOW)


@pytest.mark.parametrize("error", [BakeFailed("the build broke"), KeyboardInterrupt()], ids=repr)
def test_a_bake_that_fails_is_recorded_and_fails_on(
    journal: BakeJournal, error: BaseException
) -> None:
    with pytest.raises(type(error)), journal.bake("demo", {"bake_key": "key"}):
        raise error

    assert lines(journal)[1]["outcome"] == "failed"
    assert lines(journal)[1]["error"]
    assert journal.attempts("demo")[0].failed


def test_records_of_other_images_and_strange_files_are_passed_over(journal: BakeJournal) -> None:
    with journal.bake("other", {"bake_key": "key"}):
        pass
    (journal.folder / "notes.txt").write_text("not a record")
    (journal.folder / "20261124T120000Z-demo-1.jsonl").write_text('{"event": "beg')

    assert journal.attempts("demo") == ()


def test_where_nothing_was_tried_there_are_no_records(tmp_path: Path) -> None:
    assert BakeJournal(folder=tmp_path / "none", clock=lambda: NOW).attempts("demo") == ()
