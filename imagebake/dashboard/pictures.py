"""Pictures as small as a word: a month of beats, and how much of something is used.

They have no letters, so they may be drawn at any size; what they show is told in their
description, and in the cells beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from imagebake.heartbeat.history import TimeBucket
from imagebake.kernel.pages.html import Markup, element, markup

_CELL, _BAR = 4, 3
_LINE, _STRIP = 18, 12
"""How high the line above is, and the strip of beats below it."""
_GAP = 3


def beats(slots: Sequence[TimeBucket], *, most: float, title: str, about: str) -> Markup:
    """Seconds to Ready as a line, up to *most*, above a strip of hits and misses.

    A hit is a low bar, a miss a high one, so that nobody needs to tell their colours apart.
    """
    width, height = len(slots) * _CELL, _LINE + _GAP + _STRIP
    base = Markup(f'<path class="ground" d="M0 {height - 0.5}h{width}"/>')
    kinds = (("hit", _path(slots, missed=False)), ("miss", _path(slots, missed=True)))
    bars = (Markup(f'<path class="{kind}" d="{path}"/>') for kind, path in kinds if path)
    return _picture((width, height), "beats", title, about, (base, *bars, *_line(slots, most)))


def share(used: float, limit: float, *, mark: float = 1.0, title: str) -> Markup:
    """A bar of *used*; the upright line is *limit* times *mark*, beyond which it is too much."""
    full = max(used, limit) or 1.0
    across = round(100 * used / full, 1)
    at = round(min(100 * limit * mark / full, 99.5), 1)
    kind = "over" if used > limit * mark else "under"
    parts = (
        Markup('<rect class="track" x="0" y="2" width="100" height="6"/>'),
        Markup(f'<rect class="{kind}" x="0" y="2" width="{across}" height="6"/>'),
        Markup(f'<path class="limit" d="M{at} 0v10"/>'),
    )
    return _picture((100, 10), "share", title, "", parts)


def _path(slots: Sequence[TimeBucket], *, missed: bool) -> str:
    """The bars of the stretches in which beats were missed, or in which all were hits."""
    foot, high = _LINE + _GAP + _STRIP, _STRIP if missed else _STRIP // 3
    return "".join(
        f"M{number * _CELL} {foot}v-{high}h{_BAR}v{high}z"
        for number, one in enumerate(slots)
        if one.beats and bool(one.missed) is missed
    )


def _line(slots: Sequence[TimeBucket], most: float) -> Iterator[Markup]:
    """The seconds, with a break where there are none."""
    path, down = "", False
    for number, one in enumerate(slots):
        if one.p50 is None:
            down = False
            continue
        x = number * _CELL + _BAR / 2
        y = round(_LINE - (_LINE - 2) * min(one.p50 / (most or 1.0), 1.0), 1)
        path += f"{'L' if down else 'M'}{x} {y}" + ("" if down else "h.01")
        down = True
    if path:
        yield Markup(f'<path class="line" d="{path}"/>')


def _picture(
    size: tuple[int, int], kind: str, title: str, about: str, parts: Iterable[Markup]
) -> Markup:
    told = [element("title", title), *([element("desc", about)] if about else [])]
    return element(
        "svg",
        markup((*told, *parts)),
        class_=kind,
        viewBox=f"0 0 {size[0]} {size[1]}",
        preserveAspectRatio="none",
        role="img",
    )
