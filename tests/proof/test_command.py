"""`ledger` as it is typed: what it says where there is none."""

from __future__ import annotations

import datetime as dt

import pytest

from imagebake.lab.ledger import Ledger, LedgerEntry, RequestKind
from imagebake.proof.command import page
from imagebake.proof.records import LedgerRecord
from tests.build.commands.conftest import Run

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("",), "error: name an image, or IMAGE@VERSION\n  = hint: ./inv versions lists them\n"),
        (
            ("demos",),
            "error: there is no image spec called 'demos'\n  = hint: did you mean 'demo'?\n",
        ),
        (("demo",), "error: there is no version of demo yet\n  = hint: ./inv bake demo\n"),
    ],
    ids=["nothing", "nobody", "not baked"],
)
def test_there_is_no_ledger_of_what_is_not_there(
    run: Run, words: tuple[str, ...], message: str
) -> None:
    done = run("ledger", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == message


def test_a_silent_image_is_told_of_in_a_line_and_counted() -> None:
    kept = LedgerRecord(at="now", boots=(("boot", False, Ledger(counters={"dhcp": 2, "dns": 0})),))

    assert page("demo@1.0.0", kept) == (
        "1 first boot of demo@1.0.0, now: asked for nothing\n"
        "packets, counted by the kernel: dhcp 2, dns 0"
    )


def test_a_long_process_does_not_widen_the_table_for_ever() -> None:
    entry = LedgerEntry(
        time=NOON, kind=RequestKind.TCP, host="h.example", port=80, process="x" * 500
    )
    kept = LedgerRecord(at="now", boots=(("boot", False, Ledger(entries=(entry,))),))

    assert "x" * 60 in page("demo@1.0.0", kept)
    assert "x" * 61 not in page("demo@1.0.0", kept)


def test_what_only_the_control_asked_is_told_apart() -> None:
    entry = LedgerEntry(time=NOON, kind=RequestKind.DNS, host="packages.example")
    boots = (("boot", False, Ledger()), ("control", True, Ledger(entries=(entry,))))

    told = page("demo@1.0.0", LedgerRecord(at="now", boots=boots))

    own, _, control = told.partition("The negative control asked for this, as it must:")
    assert "asked for nothing" in own
    assert "packages.example" not in own
    assert "packages.example" in control
