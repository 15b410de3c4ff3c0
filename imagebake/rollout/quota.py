"""How near a gallery is to Azure's limits, and what gets it away from them."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.resources.resource_ids import spoken

LIMITS = {"versions": 10_000, "definitions": 1_000, "galleries": 100, "replicas": 100}
"""Of one subscription and region; replicas of one version."""
WARNING = 70
"""At so many percent of a limit somebody should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How much of one limit is used; *where* names the version with the most replicas."""

    kind: str
    used: int
    limit: int
    where: str = ""

    @property
    def percent(self) -> float:
        """The share that is used."""
        return 100 * self.used / self.limit

    @property
    def warns(self) -> bool:
        """Whether it is time to do something."""
        return self.used * 100 >= self.limit * WARNING

    @property
    def target(self) -> int:
        """So many, at most, are below the warning."""
        return math.ceil(self.limit * WARNING / 100) - 1

    @property
    def sentence(self) -> str:
        """The quota for people."""
        where = f" of {spoken(self.where)}" if self.where else ""
        return (
            f"{self.used:,} of {self.limit:,} {self.kind}{where} are used"
            f" ({self.percent:.0f} %; {WARNING} % is the warning)."
        )

    def to_json(self) -> dict[str, Any]:
        """The quota for programs."""
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
    """How the number of versions gets below the warning, or why it cannot yet.

    *now* may go today, *later* are in their grace period, *protected* says by what the rest
    stays. *runs* is how many runs it takes, None where all that may go is not enough.
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
            return ("Nothing needs to go.",)
        lines = [
            f"{self.needed:,} versions have to go: {self.now:,} may now, {self.later:,} later on."
        ]
        if self.runs is not None:
            lines.append(f"{self.runs} runs of ./inv retire --apply delete enough.")
            return tuple(lines)
        kinds = ", ".join(f"{count:,} by {kind}" for kind, count in self.protected[:4])
        lines.append(f"That is not enough. Protected are {kinds or 'none'}.")
        lines.append("A lower retirement.keep or minimum_age_days lets more go.")
        return tuple(lines)


def quotas(inventory: Inventory) -> tuple[Quota, ...]:
    """How much of each limit is used; what other galleries use counts where it was read."""
    replicas: Counter[str] = Counter()
    for version in inventory.versions:
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
