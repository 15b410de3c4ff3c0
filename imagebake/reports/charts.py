"""Small charts as inline SVG, coloured by the page's own style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 720
LEFT, RIGHT = 92, 12
_CHARACTER = 5.6
"""How wide a letter of a small label is, roughly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A stretch of the time axis with a name; *calm* ones are left white."""

    name: str
    start: float
    end: float
    calm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Time from left to right: minutes *end*, bands behind, and labels at some minutes."""

    end: float
    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]

    def x(self, minute: float) -> float:
        """Where *minute* is."""
        share = min(max(minute / self.end, 0.0), 1.0)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One thing that went well or not, at a minute; *title* says which."""

    minute: float
    good: bool
    title: str


def dots(axis: Axis, lanes: Sequence[tuple[str, Sequence[Dot]]], *, label: str) -> str:
    """A lane each: a filled circle for what went well, a cross for what did not."""
    top, lane = 26, 54
    height = top + lane * len(lanes) + 26
    parts = [_frame(axis, top, height - 26)]
    for number, (name, marks) in enumerate(lanes):
        middle = top + lane * number + lane / 2
        parts.append(_text(0, middle + 4, name, "lane"))
        parts.append(_line(LEFT, middle, WIDTH - RIGHT, middle, "rule"))
        parts += _spread(axis, marks, middle)
    return _svg(height, label, parts)


def bars(
    axis: Axis, lanes: Sequence[tuple[str, str, Sequence[tuple[float, int]]]], *, width: float
) -> str:
    """A lane each (its name, its style, and counts at minutes), all on one scale."""
    top, lane = 26, 64
    height = top + lane * len(lanes) + 26
    most = max((count for _, _, counts in lanes for _, count in counts), default=0)
    parts = [_frame(axis, top, height - 26)]
    for number, (name, style, counts) in enumerate(lanes):
        base = top + lane * (number + 1) - 6
        parts.append(_text(0, base - 18, name, "lane"))
        total = sum(count for _, count in counts)
        parts.append(_text(0, base - 4, f"{total} in all", "small"))
        parts.append(_line(LEFT, base, WIDTH - RIGHT, base, "rule"))
        for minute, count in counts:
            size = round((lane - 16) * count / most, 1)
            across = round(axis.x(minute + width) - axis.x(minute) - 1, 1)
            title = f"<title>{count} requests</title>"
            parts.append(
                f'<rect class="{style}" x="{axis.x(minute)}" y="{base - size}"'
                f' width="{across}" height="{size}">{title}</rect>'
            )
    return _svg(height, "Requests over time", parts)


def _spread(axis: Axis, marks: Sequence[Dot], middle: float) -> Iterable[str]:
    """Those at nearly the same time one above the other."""
    taken: dict[int, int] = {}
    for mark in marks:
        slot = round(axis.x(mark.minute) / 11)
        row = taken.get(slot, 0)
        taken[slot] = row + 1
        offset = (row + 1) // 2 * 12 * (1 if row % 2 else -1)
        yield _dot(axis.x(mark.minute), middle + offset, mark)


def _dot(x: float, y: float, mark: Dot) -> str:
    title = f"<title>{escape(mark.title)}</title>"
    if mark.good:
        return f'<circle class="good" cx="{x}" cy="{y}" r="4.5">{title}</circle>'
    path = f"M{x - 4} {y - 4}L{x + 4} {y + 4}M{x - 4} {y + 4}L{x + 4} {y - 4}"
    return f'<path class="bad" d="{path}">{title}</path>'


def _frame(axis: Axis, top: float, bottom: float) -> str:
    parts = []
    for number, band in enumerate(axis.bands):
        x, across = axis.x(band.start), round(axis.x(band.end) - axis.x(band.start), 1)
        style = "calm" if band.calm else f"band{number % 2}"
        parts.append(
            f'<rect class="{style}" x="{x}" y="{top}" width="{across}"'
            f' height="{bottom - top}"><title>{escape(band.name)}</title></rect>'
        )
        if across > len(band.name) * _CHARACTER:
            parts.append(_text(x + 2, top - 8, band.name, "small"))
    for minute, text in axis.ticks:
        parts.append(_line(axis.x(minute), bottom, axis.x(minute), bottom + 4, "rule"))
        parts.append(_text(axis.x(minute), bottom + 17, text, "tick"))
    return "".join(parts)


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(text)}</text>'


def _svg(height: float, label: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        + "".join(parts)
        + "</svg>"
    )
