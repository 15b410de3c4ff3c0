"""What makes a ledger clean, and that it survives being written down."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from imagebake.lab.ledger import Ledger, LedgerEntry, PacketDestination, RequestKind, in_order

START = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
ENTRY = LedgerEntry(
    time=START,
    kind=RequestKind.HTTP,
    host="packages.example",
    port=80,
    unit="planted.service",
    process="curl",
    path="/x",
    size=7,
    answer="reset",
)
PLACE = PacketDestination(address="198.51.100.1", protocol="tcp", port=80, packets=3)


def test_the_platform_alone_leaves_a_ledger_clean() -> None:
    assert Ledger(counters={"dhcp": 4, "fabric": 180, "imds": 22, "dns": 0, "other": 0}).clean


@pytest.mark.parametrize(
    "ledger",
    [
        Ledger(entries=(ENTRY,)),
        Ledger(counters={"dns": 1}),
        Ledger(counters={"other": 1}),
        Ledger(destinations=(PLACE,)),
    ],
    ids=["told", "question", "packet", "destination"],
)
def test_whatever_was_told_or_counted_leaves_it_unclean(ledger: Ledger) -> None:
    assert not ledger.clean


def test_a_ledger_reads_as_it_was_written() -> None:
    ledger = Ledger(entries=(ENTRY,), counters={"dns": 1}, destinations=(PLACE,))

    assert Ledger.of_json(json.loads(json.dumps(ledger.to_json()))) == ledger


def test_an_entry_says_who_asked_for_what() -> None:
    assert str(ENTRY) == "curl of planted.service asked packages.example:80/x (http)"
    assert str(LedgerEntry(time=START, kind=RequestKind.PACKET, host="192.0.2.1")) == (
        "someone asked 192.0.2.1 (packet)"
    )


def test_names_are_told_once_and_entries_in_time() -> None:
    later = LedgerEntry(
        time=START + dt.timedelta(seconds=1), kind=RequestKind.DNS, host="a.example"
    )

    ledger = Ledger(entries=in_order([later, ENTRY, ENTRY]))

    assert ledger.entries[-1] == later
    assert ledger.names == ("a.example", "packages.example")
