"""A freeze: a time in which nothing is promoted or retired, with who asked for it and why."""

from __future__ import annotations

import datetime as dt
import difflib
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass

FIELDS = ("from", "until", "timezone", "owner", "reason")
"""What every freeze says, in the order in which it is written."""
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """From *begins* on, and before *ends*, both in UTC; *timezone* is what they were said in."""

    begins: dt.datetime
    ends: dt.datetime
    timezone: str
    owner: str
    reason: str


def objection(name: str, value: str) -> str | None:
    """Why *value* cannot be the field *name* of a freeze, taken alone."""
    if not value.strip():
        return "it says nothing"
    if any(ord(character) < ord(" ") for character in value):
        return "it is one line"
    if name in ("from", "until"):
        return None if _wall_time(value) else "it is a date and a time, such as 2026-12-20T00:00"
    if name == "timezone":
        return _unknown_zone(value)
    return None


def freeze_of(told: Mapping[str, str]) -> Freeze | str:
    """The freeze of *told*, which has every field and no objection, or why there is none.

    Where the clocks change, a time that comes twice or never is taken so that the freeze is
    the longer one.
    """
    begins = min(_instants(told["from"], told["timezone"]))
    ends = max(_instants(told["until"], told["timezone"]))
    if ends <= begins:
        return "it ends before it begins"
    return Freeze(
        begins=begins,
        ends=ends,
        timezone=told["timezone"],
        owner=told["owner"],
        reason=told["reason"],
    )


def _wall_time(text: str) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        return None
    # A day of room on both sides, so that no time zone leads out of the calendar.
    return found if found and dt.MINYEAR < found.year < dt.MAXYEAR else None


def _instants(text: str, timezone: str) -> tuple[dt.datetime, ...]:
    """The one instant of a wall time or, where the clocks change, the two."""
    wall, zone = dt.datetime.fromisoformat(text), zoneinfo.ZoneInfo(timezone)
    return tuple(wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))


def _unknown_zone(name: str) -> str | None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = sorted(zoneinfo.available_timezones())
        if not known:
            return "this machine has no time zones: apt-get install tzdata"
        near = difflib.get_close_matches(name, known, n=1)
        return "there is no such time zone" + (f": did you mean {near[0]!r}?" if near else "")
    return None
