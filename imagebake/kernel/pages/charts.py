"""Small charts as inline SVG, coloured by the page's own style sheet.

Nothing in them can be scaled without losing its letters, so whoever puts one into a page
draws it twice, for wide and for narrow screens, and lets the style sheet choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

WIDE, NARROW = 720, 360
LEFT, RIGHT = 40, 8
_TOP, _BOTTOM = 20, 40
_CHARACTER = 5.8
"""How wide a letter of a small label is, roughly."""
_TICKS_APART = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A stretch of the time axis: its name, its style, and the *mark* it has where space lacks."""

    name: str
    mark: str
    style: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Time from left to right up to *end*, bands behind it, labels at some moments.

    *title* says what is told along it, with its unit.
    """

    title: str
    end: float
    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]
    width: int = WIDE

    def x(self, moment: float) -> float:
        """Where *moment* is."""
        share = min(max(moment / self.end, 0.0), 1.0)
        return round(LEFT + share * (self.width - LEFT - RIGHT), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One thing that went well or not, at a minute; *title* says which."""

    minute: float
    good: bool
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Counts at moments, with the lane's name and the style of its bars."""

    name: str
    style: str
    counts: Sequence[tuple[float, int]]


def figure(draw: Callable[[Axis], str], axis: Axis, caption: str) -> str:
    """What *draw* makes of *axis*, for wide and for narrow screens."""
    charts = "".join(
        f'<div class="{style}">{draw(replace(axis, width=width))}</div>'
        for style, width in (("wide", WIDE), ("narrow", NARROW))
    )
    return f"<figure>{charts}<figcaption>{escape(caption)}</figcaption></figure>"


def dots(axis: Axis, lanes: Sequence[tuple[str, Sequence[Dot]]], *, label: str) -> str:
    """A lane each: a filled circle for what went well, a cross for what did not."""
    lane = 66
    height = _TOP + lane * len(lanes) + _BOTTOM
    parts = [_frame(axis, height)]
    for number, (name, marks) in enumerate(lanes):
        top = _TOP + lane * number
        parts.append(_text(LEFT + 4, top + 16, name, "lane"))
        middle = top + 42
        parts.append(_line(LEFT, middle, axis.width - RIGHT, middle, "rule"))
        parts += _spread(axis, marks, middle)
    return _svg(axis, height, label, parts)


def bars(axis: Axis, lanes: Sequence[Bars], *, width: float, label: str) -> str:
    """A lane each, all on one scale, whose highest value is written at its height."""
    lane, full = 76, 48
    height = _TOP + lane * len(lanes) + _BOTTOM
    most = max((count for one in lanes for _, count in one.counts), default=0)
    parts = [_frame(axis, height)]
    for number, one in enumerate(lanes):
        base = _TOP + lane * (number + 1) - 6
        parts.append(_text(LEFT + 4, base - full - 7, one.name, "lane"))
        for value in sorted({0, most}):
            level = base - (full if value else 0)
            parts.append(_line(LEFT, level, axis.width - RIGHT, level, "rule"))
            parts.append(_text(LEFT - 4, level + 4, f"{value:,}", "value"))
        for moment, count in one.counts:
            x, high = axis.x(moment), round(full * count / most, 1)
            across = round(max(axis.x(moment + width) - x - 0.5, 1.0), 1)
            parts.append(
                f'<rect class="{one.style}" x="{x}" y="{round(base - high, 1)}" width="{across}"'
                f' height="{high}"><title>{count} requests</title></rect>'
            )
    return _svg(axis, height, label, parts)


def _spread(axis: Axis, marks: Sequence[Dot], middle: float) -> Iterable[str]:
    """Those at nearly the same time one above the other."""
    last, row = float("-inf"), 0
    for mark in marks:
        x = axis.x(mark.minute)
        row = row + 1 if x - last < 11 else 0  # noqa: PLR2004 - a mark's own width
        last = x if not row else last
        offset = (row + 1) // 2 * 12 * (1 if row % 2 else -1)
        yield _dot(x, middle + offset, mark)


def _dot(x: float, y: float, mark: Dot) -> str:
    title = f"<title>{escape(mark.title)}</title>"
    if mark.good:
        return f'<circle class="good" cx="{x}" cy="{y}" r="4.5">{title}</circle>'
    path = f"M{x - 4:.1f} {y - 4}l8 8m-8 0l8 -8"
    return f'<path class="bad" d="{path}">{title}</path>'


def _frame(axis: Axis, height: float) -> str:
    """The bands with their names or marks, the ticks, and what the axis tells."""
    bottom = height - _BOTTOM
    parts = []
    for band in axis.bands:
        x, across = axis.x(band.start), round(axis.x(band.end) - axis.x(band.start), 1)
        parts.append(
            f'<rect class="{band.style}" x="{x}" y="{_TOP}" width="{across}"'
            f' height="{bottom - _TOP}"><title>{escape(band.name)}</title></rect>'
        )
        whole = f"{band.mark} {band.name}".strip()
        fits = across > len(whole) * _CHARACTER
        at, text, style = (2, whole, "small") if fits else (across / 2, band.mark, "tick")
        parts.append(_text(round(x + at, 1), _TOP - 6, text, style))
    last = float("-inf")
    for minute, text in axis.ticks:
        x = axis.x(minute)
        parts.append(_line(x, bottom, x, bottom + 4, "rule"))
        if x - last >= _TICKS_APART:
            last = x
            parts.append(_text(x, bottom + 16, text, "tick"))
    parts.append(_text((LEFT + axis.width - RIGHT) / 2, bottom + 32, axis.title, "tick"))
    return "".join(parts)


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(text)}</text>'


def _svg(axis: Axis, height: float, label: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {axis.width} {height}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )
