"""Whether now is a time to change anything: freezes, incidents, and what nobody knows."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.model.gallery import TAG_INCIDENT
from imagebake.kernel.settings import Freeze

HEALTHY = "healthy"
"""What a source of status says while nothing is wrong."""


class GateState(enum.StrEnum):
    """Whether fleets may be changed; what nobody could find out is not open."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutGate:
    """The answer, why, until when if that is known, and who asked for it."""

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
        """Why not, as an error says it."""
        if self.state is GateState.UNKNOWN:
            return f"nobody knows whether all is well: {self.why}"
        return f"nothing is promoted or retired now: {self.why}"

    @property
    def hint(self) -> str:
        """What to do about it."""
        when = f"try again after {self.until:%Y-%m-%d %H:%M} UTC, or " if self.until else ""
        whom = f" ({self.owner} can say)" if self.owner else ""
        return f'{when}overrule it with --override "why it cannot wait"{whom}'

    def to_json(self) -> dict[str, Any]:
        """The gate for programs."""
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
    """What the source of status *told*, with the incidents that heartbeats have opened.

    *tags* are those of an image definition; of their incidents, those in *regions* count.
    """
    known = set(regions)
    found = [
        f"{tag.removeprefix(TAG_INCIDENT)} since {since}"
        for tag, since in sorted(tags.items())
        if tag.startswith(TAG_INCIDENT) and tag.removeprefix(TAG_INCIDENT) in known
    ]
    if not found:
        return incidents
    text = f"incident: heartbeats miss in {'; '.join(found)}"
    return text if incidents in (None, HEALTHY) else f"{incidents}; {text}"


def evaluate_gate(
    freezes: Iterable[Freeze], incidents: str | None, now: dt.datetime
) -> RolloutGate:
    """Whether fleets may be changed at *now*.

    *incidents* is what the source of status said: `healthy`, or what is wrong; None when it
    could not be asked, which is never healthy. A freeze closes from its first instant to
    just before its last.
    """
    closing = [freeze for freeze in freezes if freeze.begins <= now < freeze.ends]
    if closing:
        last = max(closing, key=lambda freeze: freeze.ends)
        why = "; ".join(f"{freeze.reason} ({freeze.owner})" for freeze in closing)
        return RolloutGate(
            state=GateState.CLOSED, why=f"freeze: {why}", until=last.ends, owner=last.owner
        )
    if incidents is None:
        return RolloutGate(state=GateState.UNKNOWN, why="the source of status could not be read")
    if incidents != HEALTHY:
        return RolloutGate(state=GateState.CLOSED, why=incidents)
    return OPEN
