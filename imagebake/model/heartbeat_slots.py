"""Beats by stretches of time: what a small picture of a month is drawn from."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from imagebake.model.drill import percentile
from imagebake.model.heartbeat import Heard

DAYS = 30
"""So far back beats and incidents are shown."""
SLOTS = 2 * DAYS
"""So many stretches there are: each of half a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The beats of one stretch of time; *p50* is seconds to Ready, None where none was."""

    beats: int = 0
    missed: int = 0
    p50: float | None = None


Slots = dict[tuple[str, str, str], tuple[Slot, ...]]
"""By image, region and label."""


def slots(beats: Iterable[Heard], *, now: dt.datetime) -> Slots:
    """The last days before *now* in equal stretches, oldest first."""
    heard: dict[tuple[str, str, str], list[list[Heard]]] = defaultdict(
        lambda: [[] for _ in range(SLOTS)]
    )
    start, width = now - dt.timedelta(days=DAYS), dt.timedelta(days=DAYS) / SLOTS
    for one in beats:
        number = (one.began - start) // width
        if 0 <= number < SLOTS:
            heard[one.image, one.region, one.label][number].append(one)
    return {who: tuple(map(_slot, found)) for who, found in heard.items()}


def _slot(beats: list[Heard]) -> Slot:
    ready = [one.ready_seconds for one in beats if one.ready_seconds is not None]
    missed = sum(one.failure is not None for one in beats)
    return Slot(beats=len(beats), missed=missed, p50=percentile(ready, 0.5))
