"""Query and start systemd units of a booted machine."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imagebake.lab.boot.boot import Boot
from imagebake.lab.boot.platform_shim import AGENT_UNITS

_PROPERTIES = "Id,LoadState,UnitFileState,ActiveState,SubState,Result,ConditionResult"
_UNMET = re.compile(r"((?:Condition|Assert)\w+=.*) was not met")
_ENABLED = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitState:
    """The state of a systemd unit.

    *unmet* is the condition that kept it from starting. No container can meet some conditions, so
    then the state says nothing about the image.
    """

    unit: str
    enabled: bool
    active: bool
    state: str
    unmet: str = ""


def wait_until_up(boot: Boot, *, timeout: float) -> str:
    """Wait until the machine has started everything it starts; return its state."""
    return boot.run("systemctl", "is-system-running", "--wait", timeout=timeout).text.strip()


def failed_units(boot: Boot) -> tuple[str, ...]:
    """Return the units that failed."""
    listing = boot.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").text
    return tuple(line.split()[0] for line in listing.splitlines() if line.split())


def journal_of(boot: Boot, units: Sequence[str]) -> str:
    """Return the journal of *units* since the machine was started."""
    chosen = (f"--unit={unit}" for unit in units)
    return boot.run("journalctl", "--boot", "--no-pager", "--lines=200", *chosen).text


def states_of(boot: Boot, units: Sequence[str]) -> tuple[UnitState, ...]:
    """Return the states of *units*, in this order; a missing unit is neither enabled nor active."""
    if not units:
        return ()
    listing = boot.run("systemctl", "show", f"--property={_PROPERTIES}", "--", *units).text
    blocks = [dict(_pairs(block)) for block in listing.strip().split("\n\n")]
    # A machine that was switched off meanwhile lists fewer units, or none.
    described = itertools.zip_longest(units, blocks[: len(units)], fillvalue=dict[str, str]())
    return tuple(_state(boot, str(unit), dict(block)) for unit, block in described)


def start_timers(boot: Boot, *, timeout: float) -> tuple[str, ...]:
    """Start the units that active timers would start later; return those units."""
    listing = boot.run(
        "systemctl", "list-units", "--type=timer", "--state=active", "--plain", "--no-legend"
    ).text
    timers = [line.split()[0] for line in listing.splitlines() if line.split()]
    if not timers:
        return ()
    triggered = boot.run("systemctl", "show", "--property=Unit", "--value", "--", *timers).text
    units = tuple(sorted(set(triggered.split())))
    # `start` waits for oneshot units to end; a failure shows in `failed_units`.
    boot.run("systemctl", "start", "--", *units, timeout=timeout)
    return units


def restart_agent(boot: Boot) -> None:
    """Restart the agent's service, whichever name the distribution gives it."""
    for state in states_of(boot, AGENT_UNITS):
        if state.active:
            boot.run("systemctl", "restart", "--", state.unit)
            return


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, _, value = line.partition("=")
        yield name, value


def _state(boot: Boot, unit: str, block: dict[str, str]) -> UnitState:
    unmet = ""
    if block.get("ConditionResult") == "no" and block.get("ActiveState") != "active":
        match = _UNMET.search(boot.run("systemctl", "status", "--lines=0", "--", unit).text)
        unmet = match[1] if match else ""
    loaded = block.get("LoadState", "not-found")
    state = f"{block.get('ActiveState', '')} ({block.get('SubState', '')})"
    return UnitState(
        unit=unit,
        enabled=block.get("UnitFileState") in _ENABLED,
        active=block.get("ActiveState") == "active",
        state=state if loaded == "loaded" else loaded,
        unmet=unmet,
    )
