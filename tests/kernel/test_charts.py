"""Positions in charts: in order, inside their frame, and on one scale."""

from __future__ import annotations

from itertools import pairwise

import pytest

from imagebake.kernel.charts import (
    LEFT,
    NARROW,
    RIGHT,
    WIDE,
    Axis,
    Band,
    Counts,
    Event,
    bin_counts,
    count_chart,
    event_chart,
    figure,
)


def an_axis(width: int = WIDE) -> Axis:
    band = Band(name="Packages cannot be read", mark="1", style="calm", start=20, end=50)
    ticks = tuple((float(minute), str(minute)) for minute in range(0, 101, 5))
    return Axis(title="minutes", end=100, bands=(band,), ticks=ticks, width=width)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_an_axis_spans_its_chart_and_keeps_moments_inside(width: int) -> None:
    axis = an_axis(width)

    assert axis.x(0) == axis.x(-5) == LEFT
    assert axis.x(100) == axis.x(500) == width - RIGHT
    assert all(axis.x(earlier) < axis.x(later) for earlier, later in pairwise(range(101)))


def test_labels_of_ticks_do_not_touch() -> None:
    chart = event_chart(an_axis(NARROW), [("a", ())], label="chart")

    places = [label.x for label in chart.labels if label.text.isdigit() and label.text != "1"]
    assert all(right - left >= 38 for left, right in pairwise(places))
    assert len(chart.rules) == 21 + 1


@pytest.mark.parametrize(("width", "text"), [(WIDE, "1 Packages cannot be read"), (NARROW, "1")])
def test_a_band_has_its_name_where_that_fits(width: int, text: str) -> None:
    axis = an_axis(width)

    chart = event_chart(axis, [], label="chart")

    assert chart.labels[0].text == text
    assert [shape.title for shape in chart.bands] == [axis.bands[0].name]


def test_events_at_nearly_the_same_time_stand_apart() -> None:
    events = [Event(moment=50, good=number % 2 == 0, title=str(number)) for number in range(4)]

    dots = event_chart(an_axis(), [("a", events)], label="chart").dots

    assert len({(dot.x, dot.y) for dot in dots}) == 4
    assert [dot.good for dot in dots] == [True, False, True, False]


def test_bars_of_all_lanes_have_one_scale() -> None:
    lanes = [
        Counts(name="a", style="plain", counts=[(0, 10), (50, 5)]),
        Counts(name="b", style="golden", counts=[(50, 1)]),
    ]

    chart = count_chart(an_axis(), lanes, span=5, label="chart")

    assert [bar.height for bar in chart.bars] == [48, 24, 4.8]
    assert [label.text for label in chart.labels if label.style == "value"] == ["0", "10"] * 2
    first = chart.bars[0]
    assert first.x + first.width < an_axis().x(5)


def test_a_lane_without_a_count_has_only_its_foot() -> None:
    chart = count_chart(an_axis(), [Counts(name="a", style="x", counts=[])], span=5, label="chart")

    assert chart.bars == []
    assert [label.text for label in chart.labels if label.style == "value"] == ["0"]


def test_a_figure_has_both_widths() -> None:
    drawn = figure(lambda axis: event_chart(axis, [], label="chart"), an_axis(), "caption")

    assert (drawn.wide.width, drawn.narrow.width) == (WIDE, NARROW)


def test_counts_are_added_up_by_bin() -> None:
    assert bin_counts({7: 1, 0: 2, 4: 3, 5: 4}, 5) == [(0, 5), (5, 5)]
