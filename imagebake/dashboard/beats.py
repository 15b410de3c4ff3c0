"""The beats section of the dashboard: each image's regions, with a month as a small picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from imagebake.dashboard.model import BAD, FEW, LOOK, NONE, WELL, Dashboard, RegionSummary
from imagebake.heartbeat.history import DAYS, TimeBucket
from imagebake.kernel.text.times import BLANK, number

_STEADY = 0.05
"""A smaller trend is noise."""
_CELL, _BAR = 4, 3
"""Width of a half day, and of its bar."""
_LINE, _STRIP, _GAP = 18, 12, 3
"""Height of the line chart, of the strip of bars below it, and of the gap between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatPicture:
    """A month of half days as SVG paths, without text: it may be scaled to any size.

    *line* is the median time to Ready. A bar of *misses* is higher than one of *hits*, so that
    they differ in more than colour. A path is empty where there is nothing to draw.
    """

    width: int
    height: int
    hits: str
    misses: str
    line: str
    title: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionBeats:
    """A row of the section; *picture* is None for a region without beats."""

    summary: RegionSummary
    picture: BeatPicture | None
    trend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBeats:
    """The regions of one image; *opened* says whether they are unfolded."""

    image: str
    state: str
    text: str
    where: str
    opened: bool
    regions: tuple[RegionBeats, ...]


def beats_by_image(seen: Dashboard) -> list[ImageBeats]:
    """Group the regions by image; of many images, only those with an incident are unfolded."""
    by_image = itertools.groupby(seen.regions, key=lambda region: region.image)
    images = [(name, list(regions)) for name, regions in by_image]
    return [_image(name, regions, seen, few=len(images) <= FEW) for name, regions in images]


def _image(
    name: str, regions: Sequence[RegionSummary], seen: Dashboard, *, few: bool
) -> ImageBeats:
    figures = [region.figures for region in regions if region.figures]
    missed = sum(region.failed for region in figures)
    count = sum(region.beats for region in figures)
    struck = any(incident.image == name for incident in seen.open_incidents)
    state = (BAD if struck else LOOK) if missed else WELL if figures else NONE
    text = f"{number(missed, 'miss', 'misses')} in {number(count, 'beat')}"
    # One scale for all regions of an image, so that a slow region stands out.
    slowest = max((slot.p50 or 0.0 for region in regions for slot in region.slots), default=0.0)
    return ImageBeats(
        image=name,
        state=state,
        text=text if figures else "no beats",
        where=f"in {number(len({region.region for region in regions}), 'region')}",
        opened=few or state == BAD,
        regions=tuple(_region(region, slowest) for region in regions),
    )


def _region(region: RegionSummary, slowest: float) -> RegionBeats:
    if region.figures is None:
        return RegionBeats(summary=region, picture=None, trend="")
    picture = beat_picture(region, slowest=slowest)
    return RegionBeats(summary=region, picture=picture, trend=_trend(region.figures.trend))


def beat_picture(region: RegionSummary, *, slowest: float) -> BeatPicture:
    """Lay out the beats of *region*; *slowest* is the median, in seconds, at the top."""
    slots, figures = region.slots, region.figures
    missed = f": {figures.failed:,} of {figures.beats:,} beats missed" if figures else ""
    return BeatPicture(
        width=len(slots) * _CELL,
        height=_LINE + _GAP + _STRIP,
        hits=_bars(slots, missed=False),
        misses=_bars(slots, missed=True),
        line=_line(slots, slowest),
        title=f"{region.region}, {DAYS} days{missed}",
        description=_description(slots),
    )


def _bars(slots: Sequence[TimeBucket], *, missed: bool) -> str:
    """Draw the half days with misses, or those in which every beat was a hit."""
    foot, height = _LINE + _GAP + _STRIP, _STRIP if missed else _STRIP // 3
    return "".join(
        f"M{place * _CELL} {foot}v-{height}h{_BAR}v{height}z"
        for place, slot in enumerate(slots)
        if slot.beats and bool(slot.missed) is missed
    )


def _line(slots: Sequence[TimeBucket], slowest: float) -> str:
    """Draw the medians, with a gap where a half day has none."""
    path, down = "", False
    for place, slot in enumerate(slots):
        if slot.p50 is None:
            down = False
            continue
        x = place * _CELL + _BAR / 2
        y = round(_LINE - (_LINE - 2) * min(slot.p50 / (slowest or 1.0), 1.0), 1)
        # A line of no length shows nothing: a half day between two gaps is drawn as a point.
        path += f"L{x} {y}" if down else f"M{x} {y}h.01"
        down = True
    return path


def _description(slots: Sequence[TimeBucket]) -> str:
    """Describe the picture in words: when beats were missed, and the range of the medians."""
    width = DAYS / len(slots) if slots else 0
    days = [f"{(len(slots) - place) * width:g}" for place, slot in enumerate(slots) if slot.missed]
    text = f"missed {', '.join(days)} days ago" if days else "none missed"
    medians = [slot.p50 for slot in slots if slot.p50 is not None]
    if medians:
        text += f"; half-day medians from {min(medians):.1f} to {max(medians):.1f} s"
    return text


def _trend(share: float | None) -> str:
    """Write by what share the later half of the month is slower; empty where it is unknown."""
    if share is None:
        return ""
    if abs(share) < _STEADY:
        return "steady"
    percent = f"{abs(share) * 100:.0f}{BLANK}%"
    return f"▲ {percent} slower" if share > 0 else f"▼ {percent} faster"
