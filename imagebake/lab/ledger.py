"""What a machine asked of the network beyond its own platform, and who in it asked."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

DNS, OTHER = "dns", "other"
"""The counters that a machine without downloads leaves at zero."""


class RequestKind(enum.StrEnum):
    """How far we understood what was asked."""

    DNS = "dns"
    TCP = "tcp"
    UDP = "udp"
    HTTP = "http"
    PACKET = "packet"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One thing that a machine asked for.

    *unit* and *process* say who asked, as far as that could be seen before it was gone. *host*
    is a name where one was told, else an address. *path* is what was asked for there, *size*
    how many bytes it got, and *answer* what it was told: a status, an address, or nothing.
    """

    time: dt.datetime
    kind: RequestKind
    host: str
    unit: str = ""
    process: str = ""
    port: int = 0
    path: str = ""
    size: int = 0
    answer: str = ""

    def __str__(self) -> str:
        who = " of ".join(part for part in (self.process, self.unit) if part) or "someone"
        where = f"{self.host}:{self.port}" if self.port else self.host
        return f"{who} asked {where}{self.path} ({self.kind})"

    def to_json(self) -> dict[str, Any]:
        """As the report of a proof has it."""
        return {**asdict(self), "time": self.time.isoformat(), "kind": str(self.kind)}

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> LedgerEntry:
        """The entry that `to_json` wrote."""
        time = dt.datetime.fromisoformat(document["time"])
        return cls(**{**document, "time": time, "kind": RequestKind(document["kind"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketDestination:
    """Where packets went that no class of the platform covers, and how many."""

    address: str
    protocol: str
    port: int
    packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Everything that left a machine, counted by the kernel and told by us.

    The *counters* judge: packets by class, from the network's own filter. The *entries* say
    what they were; they may say less than was counted, never more.
    """

    entries: tuple[LedgerEntry, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    destinations: tuple[PacketDestination, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the machine asked for nothing but what its platform gives it."""
        counted = self.counters.get(DNS, 0) + self.counters.get(OTHER, 0)
        return not (counted or self.entries or self.destinations)

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts that were asked for, each once, in order of their names."""
        return tuple(sorted({entry.host for entry in self.entries}))

    def to_json(self) -> dict[str, Any]:
        """As the report of a proof has it."""
        return {
            "entries": [entry.to_json() for entry in self.entries],
            "counters": dict(self.counters),
            "destinations": [asdict(one) for one in self.destinations],
        }

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Ledger:
        """The ledger that `to_json` wrote."""
        return cls(
            entries=tuple(LedgerEntry.of_json(one) for one in document["entries"]),
            counters=dict(document["counters"]),
            destinations=tuple(PacketDestination(**one) for one in document["destinations"]),
        )


def in_order(entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """The entries by time."""
    return tuple(sorted(entries, key=lambda entry: entry.time))
