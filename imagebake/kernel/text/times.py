"""Times, durations and counts as text for people."""

from __future__ import annotations

import datetime as dt

BLANK = "\N{NO-BREAK SPACE}"
"""Separator of a number and its unit, so that no line breaks between them."""
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_MANY = 2
"""Number of a unit from which on that unit is used: 90 minutes are not 1 h."""


def span(seconds: float) -> str:
    """Write a duration in its largest fitting unit: `3 d`, `26 h`, `90 s`, `0.4 s`."""
    for unit, size in _UNITS:
        if seconds >= _MANY * size:
            return f"{seconds // size:.0f}{BLANK}{unit}"
    return f"{seconds:.1f}{BLANK}s"


def ago(then: dt.datetime, now: dt.datetime) -> str:
    """Write how long before *now* the moment *then* was."""
    seconds = (now - then).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 1 else "just now"


def utc(moment: dt.datetime, form: str) -> str:
    """Write *moment* in UTC, in a form of `strftime`."""
    return moment.astimezone(dt.UTC).strftime(form)


def number(count: int, noun: str, plural: str = "") -> str:
    """Write *count* with its noun: `1 image`, `3 images`; *plural* is for irregular nouns."""
    return f"{count:,}{BLANK}{noun if count == 1 else plural or noun + 's'}"
