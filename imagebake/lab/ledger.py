"""The download ledger: network requests of a machine beyond its platform, and who sent them."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

DNS, OTHER = "dns", "other"
"""Counters that stay at zero on a machine without downloads."""


class RequestKind(enum.StrEnum):
    """How much of a request was understood."""

    DNS = "dns"
    TCP = "tcp"
    UDP = "udp"
    HTTP = "http"
    PACKET = "packet"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One network request of a machine.

    *unit* and *process* name the sender, and are empty where the process ended before it could be
    looked up. *host* is a name if the client gave one, else an address. *path* is the path of the
    request, *size* the number of bytes in its answer, and *answer* a status, an address, or empty.
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
        """Return the entry as the record of a proof stores it."""
        return {**asdict(self), "time": self.time.isoformat(), "kind": str(self.kind)}

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> LedgerEntry:
        """Read an entry that `to_json` wrote."""
        time = dt.datetime.fromisoformat(document["time"])
        return cls(**{**document, "time": time, "kind": RequestKind(document["kind"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketDestination:
    """A destination outside the platform, with the number of packets sent there."""

    address: str
    protocol: str
    port: int
    packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Everything a machine sent beyond its platform.

    The *counters* decide: packets by class, counted by the kernel's packet filter. The *entries*
    describe them; they may list less than was counted, never more.
    """

    entries: tuple[LedgerEntry, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    destinations: tuple[PacketDestination, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the machine sent nothing beyond its platform."""
        counted = self.counters.get(DNS, 0) + self.counters.get(OTHER, 0)
        return not (counted or self.entries or self.destinations)

    @property
    def names(self) -> tuple[str, ...]:
        """The requested hosts, each once, sorted by name."""
        return tuple(sorted({entry.host for entry in self.entries}))

    def to_json(self) -> dict[str, Any]:
        """Return the ledger as the record of a proof stores it."""
        return {
            "entries": [entry.to_json() for entry in self.entries],
            "counters": dict(self.counters),
            "destinations": [asdict(destination) for destination in self.destinations],
        }

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Ledger:
        """Read a ledger that `to_json` wrote."""
        return cls(
            entries=tuple(LedgerEntry.of_json(entry) for entry in document["entries"]),
            counters=dict(document["counters"]),
            destinations=tuple(
                PacketDestination(**destination) for destination in document["destinations"]
            ),
        )


def in_order(entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Sort *entries* by time."""
    return tuple(sorted(entries, key=lambda entry: entry.time))
