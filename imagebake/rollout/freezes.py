"""The rollout gate: change freezes, Azure incidents and heartbeat incidents."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.model.gallery import TAG_INCIDENT
from imagebake.kernel.settings import Freeze

HEALTHY = "healthy"
"""Reported by the health source while there is no incident."""


class GateState(enum.StrEnum):
    """Whether fleets may be changed; an unreadable health source counts as `unknown`."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutGate:
    """State of the gate with its reason, its end if that is known, and the owner of a freeze."""

    state: GateState
    why: str = ""
    until: dt.datetime | None = None
    owner: str = ""

    @property
    def open(self) -> bool:
        """Whether versions may be promoted and retired."""
        return self.state is GateState.OPEN

    @property
    def sentence(self) -> str:
        """The reason as an error message."""
        if self.state is GateState.UNKNOWN:
            return f"the state of the gate is unknown: {self.why}"
        return f"nothing is promoted or retired now: {self.why}"

    @property
    def hint(self) -> str:
        """How to proceed."""
        when = f"try again after {self.until:%Y-%m-%d %H:%M} UTC, or " if self.until else ""
        whom = f" (ask {self.owner})" if self.owner else ""
        return f'{when}overrule it with --override "why it cannot wait"{whom}'

    def to_json(self) -> dict[str, Any]:
        """Return the gate for programs."""
        return {
            "state": self.state.value,
            "why": self.why,
            "until": self.until.isoformat() if self.until else None,
            "owner": self.owner,
        }


OPEN = RolloutGate(state=GateState.OPEN)


def add_heartbeat_incidents(
    incidents: str | None, tags: Mapping[str, str], regions: Iterable[str]
) -> str | None:
    """Add open heartbeat incidents to *incidents*, the text of the health source.

    *tags* are those of an image definition; only incidents in *regions* count.
    """
    known = set(regions)
    found = [
        f"{tag.removeprefix(TAG_INCIDENT)} since {since}"
        for tag, since in sorted(tags.items())
        if tag.startswith(TAG_INCIDENT) and tag.removeprefix(TAG_INCIDENT) in known
    ]
    if not found:
        return incidents
    text = f"incident: heartbeats fail in {'; '.join(found)}"
    return text if incidents in (None, HEALTHY) else f"{incidents}; {text}"


def evaluate_gate(
    freezes: Iterable[Freeze], incidents: str | None, now: dt.datetime
) -> RolloutGate:
    """Decide whether fleets may be changed at *now*.

    *incidents* is the text of the health source: `healthy`, or what is wrong; None if it could
    not be read, which never counts as healthy. A freeze includes its start and excludes its
    end.
    """
    closing = [freeze for freeze in freezes if freeze.begins <= now < freeze.ends]
    if closing:
        # Freezes may overlap: the gate opens when the last of them ends.
        last = max(closing, key=lambda freeze: freeze.ends)
        why = "; ".join(f"{freeze.reason} ({freeze.owner})" for freeze in closing)
        return RolloutGate(
            state=GateState.CLOSED, why=f"freeze: {why}", until=last.ends, owner=last.owner
        )
    # During an outage the health source may be down as well.
    if incidents is None:
        return RolloutGate(state=GateState.UNKNOWN, why="the health source could not be read")
    if incidents != HEALTHY:
        return RolloutGate(state=GateState.CLOSED, why=incidents)
    return OPEN
