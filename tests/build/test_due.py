"""What is due follows from versions, schedules and records, never from a cron having fired."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.azure.model.gallery import TAG_BAKE_KEY, GalleryVersion
from imagebake.build.due import (
    BakeAttempt,
    BakeDecision,
    BakeNeed,
    decide_bake,
    last_scheduled_time,
)
from imagebake.build.journal import journal_line, read_attempt
from imagebake.kernel.text.versions import ImageVersion
from imagebake.spec.model.options import Schedule

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
TUESDAYS = Schedule(cron="17 3 * * 2")


def a_version(key: str, published: dt.datetime, *, state: str = "Succeeded") -> GalleryVersion:
    return GalleryVersion(
        id=f"/versions/{published:%Y.%m%d}.0",
        definition="demo",
        version=ImageVersion(published.year, published.month * 100 + published.day, 0),
        state=state,
        published=published,
        hidden=True,
        tags={TAG_BAKE_KEY: key},
        regions={"westeurope": "Completed"},
    )


def due_of(
    *versions: GalleryVersion,
    schedule: Schedule | None = TUESDAYS,
    attempts: tuple[BakeAttempt, ...] = (),
    now: dt.datetime = NOW,
    by_hand: bool = False,
) -> BakeDecision:
    return decide_bake(
        "demo",
        schedule,
        "new",
        versions=versions,
        attempts=attempts,
        now=now,
        by_hand=by_hand,
    )


def failure(hours_ago: float, outcome: str = "failed") -> BakeAttempt:
    return BakeAttempt(
        image="demo", bake_key="new", begun=NOW - dt.timedelta(hours=hours_ago), outcome=outcome
    )


def test_what_was_never_baked_is_due_since_its_schedule_asked_last() -> None:
    due = due_of()

    assert (due.need, due.why) == (BakeNeed.DUE, "never baked")
    assert due.since == dt.datetime(2026, 11, 24, 3, 17, tzinfo=dt.UTC)


def test_what_is_there_with_the_same_key_is_fresh_however_old() -> None:
    old = a_version("new", NOW - dt.timedelta(days=400))

    assert due_of(old).need is BakeNeed.FRESH


def test_a_changed_image_waits_for_its_schedule() -> None:
    since = a_version("old", NOW - dt.timedelta(hours=1))
    before = a_version("old", NOW - dt.timedelta(days=2))

    assert due_of(since).need is BakeNeed.NOT_YET
    assert due_of(before).need is BakeNeed.DUE
    assert "2026.1122.0" in due_of(before).why


def test_a_bake_that_failed_in_the_gallery_is_no_bake() -> None:
    failed = a_version("new", NOW - dt.timedelta(hours=1), state="Failed")

    assert due_of(failed).need is BakeNeed.DUE


def test_without_a_schedule_an_image_is_baked_by_hand_only() -> None:
    assert due_of(schedule=None).need is BakeNeed.BY_HAND
    assert due_of(schedule=None, by_hand=True).need is BakeNeed.DUE


@pytest.mark.parametrize(
    ("hours_ago", "need"),
    [
        ((0.5,), BakeNeed.NOT_YET),
        ((1.5,), BakeNeed.DUE),
        ((3.5, 1.5), BakeNeed.NOT_YET),
        ((9, 5), BakeNeed.DUE),
    ],
    ids=str,
)
def test_what_failed_is_tried_again_after_a_pause_that_doubles(
    hours_ago: tuple[float, ...], need: BakeNeed
) -> None:
    attempts = tuple(failure(hours) for hours in hours_ago)

    assert due_of(attempts=attempts).need is need
    assert due_of(attempts=attempts, by_hand=True).need is BakeNeed.DUE


def test_a_bake_that_was_killed_counts_as_failed() -> None:
    assert due_of(attempts=(failure(0.5, outcome=""),)).need is BakeNeed.NOT_YET


def test_an_image_is_late_only_while_it_is_due() -> None:
    assert due_of().late(NOW) == dt.timedelta(hours=8, minutes=43)
    assert due_of(a_version("new", NOW)).late(NOW) == dt.timedelta(0)


def test_a_schedule_is_read_in_its_own_time_zone() -> None:
    amsterdam = Schedule(cron="30 2 * * *", timezone="Europe/Amsterdam")

    assert last_scheduled_time(amsterdam, NOW) == dt.datetime(2026, 11, 24, 1, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "message"),
    [
        ("61 3 * * 2", "Etc/UTC", "'61 3 * * 2' names no time: Bad minute"),
        ("0 3 30 2 *", "Etc/UTC", "'0 3 30 2 *' names no time: Bad day-of-month"),
        ("0 3 * * 2", "Mars/Base", "there is no time zone 'Mars/Base'"),
    ],
    ids=["minute", "day", "zone"],
)
def test_a_schedule_that_names_no_time_is_no_schedule(cron: str, zone: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Schedule(cron=cron, timezone=zone)


@given(
    now=st.integers(0, 10 * 366 * 24 * 60),
    zone=st.sampled_from(["Etc/UTC", "Europe/Amsterdam", "America/St_Johns", "Asia/Kolkata"]),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
)
def test_a_daily_schedule_asked_within_the_last_day_and_never_in_the_future(
    now: int, zone: str, hour: int, minute: int
) -> None:
    aware = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=now)

    asked = last_scheduled_time(Schedule(cron=f"{minute} {hour} * * *", timezone=zone), aware)

    assert asked <= aware
    assert aware - asked <= dt.timedelta(hours=25, minutes=1)


def test_a_record_says_what_was_tried_and_how_it_ended() -> None:
    begun = journal_line("begun", NOW, {"image": "demo", "bake_key": "new"}).decode()
    ended = journal_line("ended", NOW, {"outcome": "baked", "version": "2026.1124.0"}).decode()

    assert read_attempt([begun, ended]) == BakeAttempt(
        image="demo", bake_key="new", begun=NOW, outcome="baked"
    )
    assert read_attempt([begun, ended[:20]]) == BakeAttempt(image="demo", bake_key="new", begun=NOW)
    assert read_attempt([ended]) is None
    assert read_attempt(["[1]", "{", ""]) is None
