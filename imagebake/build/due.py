"""Decide whether an image is due for a bake, from its versions and attempts."""

from __future__ import annotations

import datetime as dt
import enum
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cronsim import CronSim

from imagebake.azure.model.gallery import GalleryVersion
from imagebake.spec.model.options import Schedule

_LONGEST_PAUSE = dt.timedelta(hours=24)


class BakeNeed(enum.StrEnum):
    """Whether an image should be baked."""

    DUE = "due"
    NOT_YET = "not yet"
    FRESH = "fresh"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeAttempt:
    """A bake as recorded; without an *outcome* it was killed or is still running."""

    image: str
    bake_key: str
    begun: dt.datetime
    outcome: str = ""

    @property
    def failed(self) -> bool:
        """Whether the attempt produced no version."""
        return self.outcome not in ("baked", "unchanged")


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeDecision:
    """The decision on one image; *since* is when it became due."""

    image: str
    need: BakeNeed
    why: str
    since: dt.datetime | None = None
    newest: GalleryVersion | None = None

    def late(self, now: dt.datetime) -> dt.timedelta:
        """Return how long the image has been due."""
        return now - self.since if self.need is BakeNeed.DUE and self.since else dt.timedelta(0)

    def to_json(self) -> dict[str, Any]:
        """Return the decision for programs."""
        return {
            "image": self.image,
            "need": str(self.need),
            "why": self.why,
            "since": self.since.isoformat() if self.since else None,
            "newest": str(self.newest.version) if self.newest else None,
        }


def last_scheduled_time(schedule: Schedule, now: dt.datetime) -> dt.datetime:
    """Return the last time at or before *now*, in UTC, at which *schedule* fired."""
    # Iterating backwards excludes the start itself, and cron's resolution is a minute.
    local = (now + dt.timedelta(minutes=1)).astimezone(zoneinfo.ZoneInfo(schedule.timezone))
    return next(CronSim(schedule.cron, local, reverse=True)).astimezone(dt.UTC)


def decide_bake(
    image: str,
    schedule: Schedule | None,
    bake_key: str,
    *,
    versions: Sequence[GalleryVersion],
    attempts: Sequence[BakeAttempt],
    now: dt.datetime,
    by_hand: bool = False,
) -> BakeDecision:
    """Decide whether *image* should be baked now, with the plan whose key is *bake_key*.

    It is due if no healthy version has that key and its schedule has fired since the newest
    version was published. A failed bake is retried after a pause that doubles from an hour to
    a day. With *by_hand*, schedule and pause are ignored.
    """
    healthy = [version for version in versions if version.healthy]
    newest = max(healthy, key=lambda version: version.version, default=None)
    if newest and any(version.bake_key == bake_key for version in healthy):
        return BakeDecision(image=image, need=BakeNeed.FRESH, why="baked as it is", newest=newest)
    changed = f"changed since {newest.version}" if newest else "never baked"
    if by_hand:
        return BakeDecision(image=image, need=BakeNeed.DUE, why=changed, since=now, newest=newest)
    if schedule is None:
        return BakeDecision(
            image=image, need=BakeNeed.BY_HAND, why="its spec has no schedule", newest=newest
        )
    asked = last_scheduled_time(schedule, now)
    if newest and newest.published and newest.published >= asked:
        why = f"{changed}; its schedule has not asked since"
        return BakeDecision(image=image, need=BakeNeed.NOT_YET, why=why, newest=newest)
    if until := _pause(bake_key, attempts, now):
        why = f"failed before; tried again after {until:%Y-%m-%d %H:%M} UTC"
        return BakeDecision(image=image, need=BakeNeed.NOT_YET, why=why, since=asked, newest=newest)
    return BakeDecision(image=image, need=BakeNeed.DUE, why=changed, since=asked, newest=newest)


def _pause(bake_key: str, attempts: Sequence[BakeAttempt], now: dt.datetime) -> dt.datetime | None:
    """Return when a failed bake may be retried; None if it may be now."""
    mine = [attempt for attempt in attempts if attempt.bake_key == bake_key and attempt.failed]
    if not mine:
        return None
    pause = min(_LONGEST_PAUSE, dt.timedelta(hours=2 ** min(len(mine) - 1, 5)))
    until = max(attempt.begun for attempt in mine) + pause
    return until if until > now else None
