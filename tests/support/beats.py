"""Beats that nobody carried out, and a host whose machines say what a beat listens for."""

from __future__ import annotations

import base64
import datetime as dt
import re
from typing import Any

from imagebake.emulator.machines.host import MachineOrder
from imagebake.heartbeat.model import AGENT, CREATE, GOLDEN, HANDLER, READY, TOKEN, Beat, Phase
from tests.support.fleets import version_id

BEGAN = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
HELLO = f"{HANDLER}Contoso.Demo.Hello"
NO_PACKAGE = Phase(HELLO, 4.0, "VMExtensionHandlerNonTransientError", "no", "packages-1.store.test")


def phases(*more: Phase, seconds: float = 4.0) -> tuple[Phase, ...]:
    """The phases of a machine that was Ready after *seconds*, and *more*."""
    usual = (Phase(CREATE, 0.5), Phase(READY, 1.5), Phase(AGENT, seconds - 2.0))
    return (*usual, *(more or (Phase(TOKEN, 0.2),)))


def a_beat(run: object = 0, *more: Phase, **changes: Any) -> Beat:  # noqa: ANN401 - any field
    """A beat of round *run*, an hour after the one before; good, unless *more* says otherwise."""
    number = changes.pop("number", 0)
    began = BEGAN + dt.timedelta(hours=run) if isinstance(run, int) else BEGAN
    fields: dict[str, Any] = {
        "id": f"run{run}-{number}",
        "image": "demo",
        "version": "1.0.0",
        "version_id": version_id("1.0.0"),
        "published": BEGAN - dt.timedelta(days=10),
        "region": "westeurope",
        "rings": ("canary",),
        "label": GOLDEN,
        "began": began,
        "phases": phases(*more, seconds=changes.pop("seconds", 4.0)),
    }
    return Beat(**(fields | changes))


def console_of(order: MachineOrder, *, identity: str = "ok", script: str = "ok") -> bytes:
    """What the machine's script would print, with noise around it as on a real console."""
    text = base64.b64decode(order.user_data).decode()
    found = re.search(r"(imagebake-beat \S+) \$1", text)
    if not found:
        return b"no script\n"
    printed = [
        f"{found[1]} token {identity} 100.10 100.35 {'' if identity == 'ok' else 'HTTP 500'}"
    ]
    if "check script" in text:
        printed.append(f"{found[1]} script {script} 100.35 101.00 done")
    return ("[  1.0] systemd[1]: hello\n" + "\n".join(printed) + "\n").encode()
