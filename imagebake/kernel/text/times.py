"""Times and spans as people say them, always in UTC and always the same."""

from __future__ import annotations

import datetime as dt

from imagebake.kernel.pages.html import Markup, element

BLANK = "\N{NO-BREAK SPACE}"
"""Between a number and its unit."""
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_MANY = 2
"""From so many of a unit on, it is told in that one."""


def span(seconds: float) -> str:
    """A time in the unit in which it is no small number: `3 d`, `26 h`, `90 s`."""
    for unit, size in _UNITS:
        if seconds >= _MANY * size:
            return f"{seconds // size:.0f}{BLANK}{unit}"
    return f"{seconds:.1f}{BLANK}s"


def ago(then: dt.datetime, now: dt.datetime) -> str:
    """How long before *now* that was."""
    seconds = (now - then).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 1 else "just now"


def clock(then: dt.datetime) -> Markup:
    """A moment, for people and for programs."""
    told = then.astimezone(dt.UTC)
    return element("time", f"{told:%Y-%m-%d %H:%M}", datetime=f"{told:%Y-%m-%dT%H:%M:%SZ}")


def number(count: int, one: str, many: str = "") -> str:
    """*count* of something: `1 image`, `3 images`."""
    return f"{count:,}{BLANK}{one if count == 1 else many or one + 's'}"
