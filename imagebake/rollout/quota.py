"""Use of Azure Compute Gallery limits, and how retirement lowers it."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.resources.resource_ids import spoken

LIMITS = {"versions": 10_000, "definitions": 1_000, "galleries": 100, "replicas": 100}
"""Azure's limits per subscription and region; `replicas` is per version."""
WARNING = 70
"""Percentage of a limit from which a warning is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Use of one limit; *where* is the version with the most replicas."""

    kind: str
    used: int
    limit: int
    where: str = ""

    @property
    def percent(self) -> float:
        """The used share in percent."""
        return 100 * self.used / self.limit

    @property
    def warns(self) -> bool:
        """Whether the warning threshold is reached."""
        return self.used * 100 >= self.limit * WARNING

    @property
    def target(self) -> int:
        """The highest number below the warning threshold."""
        return math.ceil(self.limit * WARNING / 100) - 1

    @property
    def sentence(self) -> str:
        """The quota for people."""
        where = f" of {spoken(self.where)}" if self.where else ""
        return (
            f"{self.used:,} of {self.limit:,} {self.kind}{where} are used"
            f" ({self.percent:.0f} %; {WARNING} % triggers the warning)."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the quota for programs."""
        return {
            "kind": self.kind,
            "used": self.used,
            "limit": self.limit,
            "percent": round(self.percent, 1),
            "warns": self.warns,
            "where": self.where,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRelief:
    """How retirement brings the number of versions below the warning threshold, or why it cannot.

    *now* may be deleted today, *later* are in their grace period, *protected* counts the rest
    by protection. *runs* is the number of runs needed; None if all of them are not enough.
    """

    needed: int
    now: int
    later: int
    runs: int | None
    last: dt.datetime | None
    protected: tuple[tuple[str, int], ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The way out, for people."""
        if not self.needed:
            return ("No version has to be deleted.",)
        lines = [
            f"{self.needed:,} versions must be deleted: {self.now:,} now, {self.later:,} later."
        ]
        if self.runs is not None:
            lines.append(f"./inv retire --apply deletes enough in {self.runs} runs.")
            return tuple(lines)
        kinds = ", ".join(f"{count:,} by {kind}" for kind, count in self.protected[:4])
        lines.append(f"That is not enough. Versions protected: {kinds or 'none'}.")
        lines.append("A lower retirement.keep or minimum_age_days releases more.")
        return tuple(lines)


def quotas(inventory: Inventory) -> tuple[Quota, ...]:
    """Compute the use of each limit; other galleries count where their numbers were read."""
    replicas: Counter[str] = Counter()
    for version in inventory.versions:
        # A region without a count has one replica.
        replicas[version.id] = sum(version.replicas.get(region, 1) for region in version.regions)
    where, most = replicas.most_common(1)[0] if replicas else ("", 0)
    used = {
        "versions": len(inventory.versions),
        "definitions": len(inventory.definitions),
        "galleries": 1,
    }
    rows = [
        Quota(kind=kind, used=max(count, inventory.counts.get(kind, 0)), limit=LIMITS[kind])
        for kind, count in used.items()
    ]
    return (*rows, Quota(kind="replicas", used=most, limit=LIMITS["replicas"], where=where))
