"""The dashboard's beats: an image's regions, each with a month in a small picture."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence

from imagebake.dashboard import pictures
from imagebake.dashboard.model import Dashboard, RegionSeen
from imagebake.heartbeat.history import DAYS, RegionStatistics
from imagebake.heartbeat.model import GOLDEN
from imagebake.kernel.pages.html import Markup, element
from imagebake.kernel.pages.parts import (
    BAD,
    DASH,
    FEW,
    LOOK,
    NONE,
    WELL,
    breakable,
    empty,
    folded,
    section,
    sign,
    stacked,
    table,
)
from imagebake.kernel.text.times import BLANK, ago, number

HEADER = ("Region", "Last beat", f"{DAYS} days", "p50", "p95", "Trend", "Missed", "Last failure")
_STEADY = 0.05
"""A trend below this share is none."""
KEY = (
    "The line is the median time to Ready of each half day, on one scale an image; a low bar below"
    " it is a half day of hits, a high one a half day with misses, and none one without beats."
)


def beats(seen: Dashboard) -> Markup:
    """Every image with its regions; of many images, those without misses are folded."""
    images = [
        (name, list(group))
        for name, group in itertools.groupby(seen.regions, key=lambda one: one.image)
    ]
    if not images:
        return section("beats", "Beats by region", empty("No region has been beaten yet."))
    parts = [_image(name, regions, seen, few=len(images) <= FEW) for name, regions in images]
    return section("beats", "Beats by region", element("p", KEY, class_="soft"), *parts)


def _image(name: str, regions: Sequence[RegionSeen], seen: Dashboard, *, few: bool) -> Markup:
    told = [one.figures for one in regions if one.figures]
    missed, count = sum(one.failed for one in told), sum(one.beats for one in told)
    state = BAD if any(one.image == name for one in seen.open_incidents) else LOOK
    state = state if missed else WELL if told else NONE
    said = f"{number(missed, 'miss', 'misses')} in {number(count, 'beat')}" if told else "no beats"
    where = f"in {number(len({one.region for one in regions}), 'region')}"
    body = table(f"{name}: beats of {DAYS} days by region", HEADER, _rows(regions, seen.at))
    return folded(name, state, said, where, body, opened=few or state == BAD)


def _rows(regions: Sequence[RegionSeen], now: dt.datetime) -> Iterator[tuple[str, ...]]:
    most = max((slot.p50 or 0.0 for one in regions for slot in one.slots), default=0.0)
    for one in regions:
        name = one.region if one.label == GOLDEN else stacked(one.region, one.label)
        if one.figures is None:
            yield (name, sign(NONE, "no beats yet"), *[DASH] * (len(HEADER) - 2))
        else:
            yield (name, *_cells(one, one.figures, most, now))


def _cells(one: RegionSeen, told: RegionStatistics, most: float, now: dt.datetime) -> Iterator[str]:
    well = told.last_good == told.last
    last = sign(WELL, "hit") if well else sign(BAD, "missed")
    yield stacked(last, ago(told.last, now), "" if well else _good(told, now))
    yield pictures.beats(one.slots, most=most, title=_title(one, told), about=_about(one))
    yield _seconds(told.p50)
    yield _seconds(told.p95)
    yield _trend(told.trend)
    missed = f"{told.failed:,} of {told.beats:,}"
    yield sign(LOOK, missed) if told.failed else missed
    yield breakable(told.last_failure or DASH)


def _good(told: RegionStatistics, now: dt.datetime) -> str:
    return f"good {ago(told.last_good, now)}" if told.last_good else "never good"


def _title(one: RegionSeen, told: RegionStatistics) -> str:
    return f"{one.region}, {DAYS} days: {told.failed:,} of {told.beats:,} beats missed"


def _about(one: RegionSeen) -> str:
    """The picture in words: when beats were missed, and between what the seconds were."""
    medians = [slot.p50 for slot in one.slots if slot.p50 is not None]
    width = DAYS / len(one.slots) if one.slots else 0
    missed = [
        f"{(len(one.slots) - number) * width:g}"
        for number, slot in enumerate(one.slots)
        if slot.missed
    ]
    told = f"missed {', '.join(missed)} days ago" if missed else "none missed"
    if medians:
        told += f"; half-day medians from {min(medians):.1f} to {max(medians):.1f} s"
    return told


def _trend(value: float | None) -> str:
    if value is None:
        return DASH
    if abs(value) < _STEADY:
        return "steady"
    percent = f"{abs(value) * 100:.0f}{BLANK}%"
    return f"▲ {percent} slower" if value > 0 else f"▼ {percent} faster"


def _seconds(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f}{BLANK}s"
