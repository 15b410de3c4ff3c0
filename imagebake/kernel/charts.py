"""Layout of time charts: positions and sizes for the templates that draw them as SVG.

A drawing that is scaled to a phone has unreadable letters. So every chart is laid out twice, for
wide and for narrow screens, and the style sheet shows one of the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

WIDE, NARROW = 720, 360
LEFT, RIGHT = 40, 8
_TOP, _BOTTOM = 20, 40
_DOT_LANE, _BAR_LANE, _BAR_HEIGHT = 66, 76, 48
_DOT_WIDTH = 11
_LETTER_WIDTH = 5.8
"""Average width of a letter of 10.5 px, the size of small labels."""
_TICK_SPACING = 38
"""A label such as `12:00` needs so much; ticks closer than that keep their line alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A shaded stretch of the time axis; *mark* stands for *name* where space is short."""

    name: str
    mark: str
    style: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Time from 0 at the left to *end* at the right; *title* names it with its unit."""

    title: str
    end: float
    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]
    width: int = WIDE

    def x(self, moment: float) -> float:
        """Map *moment* to pixels; moments beyond an end are drawn at that end."""
        share = min(max(moment / self.end, 0.0), 1.0)
        return round(LEFT + share * (self.width - LEFT - RIGHT), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that succeeded or failed at *moment*."""

    moment: float
    good: bool
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts at moments, under the name of their lane."""

    name: str
    style: str
    counts: Sequence[tuple[float, int]]


@dataclass(frozen=True, slots=True)
class Bar:
    """A filled rectangle with a tooltip."""

    style: str
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """A thin line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Label:
    """A text; *style* says how it is aligned to *x*."""

    x: float
    y: float
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A circle for a success, a cross for a failure, with its centre and a tooltip."""

    x: float
    y: float
    good: bool
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of one size, as the shapes to draw, in this order."""

    label: str
    width: int
    height: int
    bands: list[Bar] = field(default_factory=list)
    rules: list[Line] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The same chart for wide and for narrow screens."""

    wide: Chart
    narrow: Chart
    caption: str


def figure(layout: Callable[[Axis], Chart], axis: Axis, caption: str) -> Figure:
    """Lay the chart out on *axis* at both widths."""
    wide, narrow = (layout(replace(axis, width=width)) for width in (WIDE, NARROW))
    return Figure(wide=wide, narrow=narrow, caption=caption)


def event_chart(axis: Axis, lanes: Sequence[tuple[str, Sequence[Event]]], *, label: str) -> Chart:
    """Lay out a lane of events for each name; events must be in order of time."""
    chart = _frame(axis, _TOP + _DOT_LANE * len(lanes) + _BOTTOM, label)
    for number, (name, events) in enumerate(lanes):
        top = _TOP + _DOT_LANE * number
        chart.labels.append(Label(LEFT + 4, top + 16, name, "lane"))
        middle = top + 42
        chart.rules.append(Line(LEFT, middle, axis.width - RIGHT, middle))
        chart.dots.extend(_spread(axis, events, middle))
    return chart


def count_chart(axis: Axis, lanes: Sequence[Counts], *, span: float, label: str) -> Chart:
    """Lay out a lane of bars for each of *lanes*, all on one scale with its maximum labelled.

    *span* is the time that one count covers, and so the width of its bar.
    """
    chart = _frame(axis, _TOP + _BAR_LANE * len(lanes) + _BOTTOM, label)
    most = max((count for lane in lanes for _, count in lane.counts), default=0)
    for number, lane in enumerate(lanes):
        base = _TOP + _BAR_LANE * (number + 1) - 6
        chart.labels.append(Label(LEFT + 4, base - _BAR_HEIGHT - 7, lane.name, "lane"))
        for value in sorted({0, most}):
            level = base - (_BAR_HEIGHT if value else 0)
            chart.rules.append(Line(LEFT, level, axis.width - RIGHT, level))
            chart.labels.append(Label(LEFT - 4, level + 4, f"{value:,}", "value"))
        for moment, count in lane.counts:
            x, height = axis.x(moment), round(_BAR_HEIGHT * count / most, 1)
            # Half a pixel apart, and never too thin to be seen or pointed at.
            width = round(max(axis.x(moment + span) - x - 0.5, 1.0), 1)
            y = round(base - height, 1)
            chart.bars.append(Bar(lane.style, x, y, width, height, f"{count} requests"))
    return chart


def bin_counts(counts: Mapping[int, int], width: int) -> list[tuple[float, int]]:
    """Add up *counts* by moment in bins of *width*, in order of time."""
    bins: dict[float, int] = {}
    for moment, count in counts.items():
        start = moment // width * width
        bins[start] = bins.get(start, 0) + count
    return sorted(bins.items())


def _spread(axis: Axis, events: Sequence[Event], middle: float) -> Iterator[Dot]:
    """Place events; those at nearly the same time stand above and below each other."""
    last, row = float("-inf"), 0
    for event in events:
        x = axis.x(event.moment)
        # Measured from the first dot of a crowd: the others of it only move up or down.
        row = row + 1 if x - last < _DOT_WIDTH else 0
        last = x if not row else last
        offset = (row + 1) // 2 * 12 * (1 if row % 2 else -1)
        yield Dot(x, middle + offset, event.good, event.title)


def _frame(axis: Axis, height: int, label: str) -> Chart:
    """Start a chart with its bands and their names, its ticks, and the axis title."""
    chart = Chart(label=label, width=axis.width, height=height)
    bottom = height - _BOTTOM
    for band in axis.bands:
        x, width = axis.x(band.start), round(axis.x(band.end) - axis.x(band.start), 1)
        chart.bands.append(Bar(band.style, x, _TOP, width, bottom - _TOP, band.name))
        chart.labels.append(_band_label(band, x, width))
    last = float("-inf")
    for moment, text in axis.ticks:
        x = axis.x(moment)
        chart.rules.append(Line(x, bottom, x, bottom + 4))
        if x - last >= _TICK_SPACING:  # a narrow chart labels fewer of the same ticks
            last = x
            chart.labels.append(Label(x, bottom + 16, text, "tick"))
    middle = (LEFT + axis.width - RIGHT) / 2
    chart.labels.append(Label(middle, bottom + 32, axis.title, "tick"))
    return chart


def _band_label(band: Band, x: float, width: float) -> Label:
    """Write the whole name over a band where it fits, and only its mark where it does not."""
    text = f"{band.mark} {band.name}".strip()
    if width > len(text) * _LETTER_WIDTH:
        return Label(round(x + 2, 1), _TOP - 6, text, "small")
    return Label(round(x + width / 2, 1), _TOP - 6, band.mark, "tick")
