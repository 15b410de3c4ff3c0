"""First boots as they might have been seen, for verdicts and verbs that need none for real."""

from __future__ import annotations

import datetime as dt
from typing import Any

from imagebake.lab.ledger import Ledger, LedgerEntry, PacketDestination, RequestKind
from imagebake.lab.proof_result import (
    FirstBootResult,
    HandlerResult,
    NegativeControl,
    ProofRequirements,
    ServiceResult,
)

START = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
HANDLER = ("Contoso.Demo.Hello", "1.2.3")


def a_demand(**changes: Any) -> ProofRequirements:  # noqa: ANN401 - any field
    """An image with one agent, one cached extension and one service."""
    fields: dict[str, Any] = {
        "image": "demo",
        "agent": "2.15.0.1",
        "handlers": (HANDLER,),
        "services": ("walinuxagent.service",),
        "packages": {"walinuxagent.service": "waagent", "motd-news.service": "base-files"},
    }
    return ProofRequirements(**(fields | changes))


def seen(trial: str = "hang", **changes: Any) -> FirstBootResult:  # noqa: ANN401 - any field
    """A first boot of that image that keeps every law."""
    fields: dict[str, Any] = {
        "trial": trial,
        "means": "boot" if trial == "boot" else "agent",
        "provisioned": "Ready",
        "agent": "2.15.0.1",
        "ready": True,
        "seconds": 3.2,
        "ledger": Ledger(counters={"dns": 0, "other": 0, "fabric": 180}),
        "handlers": (HandlerResult(name=HANDLER[0], version=HANDLER[1], ready=True),),
        "services": (
            ServiceResult(unit="walinuxagent.service", enabled=True, active=True, state="active"),
        ),
    }
    return FirstBootResult(**(fields | changes))


def an_entry(**changes: Any) -> LedgerEntry:  # noqa: ANN401 - any field
    """A unit of a customizer asked for a file."""
    fields: dict[str, Any] = {
        "time": START,
        "kind": RequestKind.HTTP,
        "host": "packages.example",
        "port": 443,
        "unit": "planted.service",
        "process": "/usr/bin/curl https://packages.example/agent.deb",
        "path": "/agent.deb",
        "answer": "reset",
    }
    return LedgerEntry(**(fields | changes))


def a_ledger(*entries: LedgerEntry, dns: int = 0, other: int = 0) -> Ledger:
    """A ledger with these entries, and packets of two counters."""
    places = (PacketDestination(address="198.51.100.1", protocol="tcp", port=443, packets=other),)
    return Ledger(
        entries=entries,
        counters={"dns": dns, "other": other},
        destinations=places if other else (),
    )


def a_control(*, fails: bool = True) -> NegativeControl:
    """A negative control that asked for an extension, or one that asked for nothing."""
    asked = an_entry(unit="walinuxagent.service", host="packages-1.store.test", path="/agent/x")
    ledger = a_ledger(asked, dns=1) if fails else a_ledger()
    return NegativeControl(what="without imagebake's part", seen=seen("control", ledger=ledger))
