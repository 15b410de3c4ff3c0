"""Ask a machine's own init about its units, and have it start them."""

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
    """A unit as its machine's init has it.

    *unmet* is the condition for which it was not started, which may be one that no container
    can meet: then it says nothing about the image.
    """

    unit: str
    enabled: bool
    active: bool
    state: str
    unmet: str = ""


def wait_until_up(boot: Boot, *, timeout: float) -> str:
    """Wait for the machine to have started all it starts; and say its state."""
    return boot.run("systemctl", "is-system-running", "--wait", timeout=timeout).text.strip()


def failed_units(boot: Boot) -> tuple[str, ...]:
    """The units that failed."""
    said = boot.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").text
    return tuple(line.split()[0] for line in said.splitlines() if line.split())


def journal_of(boot: Boot, units: Sequence[str]) -> str:
    """What *units* wrote down since the machine was started, and its init about them."""
    chosen = (f"--unit={unit}" for unit in units)
    return boot.run("journalctl", "--boot", "--no-pager", "--lines=200", *chosen).text


def states_of(boot: Boot, units: Sequence[str]) -> tuple[UnitState, ...]:
    """The states of *units*, in this order; one that the image lacks is neither."""
    if not units:
        return ()
    said = boot.run("systemctl", "show", f"--property={_PROPERTIES}", "--", *units).text
    blocks = [dict(_pairs(block)) for block in said.strip().split("\n\n")]
    # A machine that went off meanwhile has told of fewer, or of none.
    told = itertools.zip_longest(units, blocks[: len(units)], fillvalue=dict[str, str]())
    return tuple(_state(boot, str(unit), dict(block)) for unit, block in told)


def start_timers(boot: Boot, *, timeout: float) -> tuple[str, ...]:
    """Start what the machine's active timers would start some day; which units those were."""
    said = boot.run(
        "systemctl", "list-units", "--type=timer", "--state=active", "--plain", "--no-legend"
    ).text
    timers = [line.split()[0] for line in said.splitlines() if line.split()]
    if not timers:
        return ()
    told = boot.run("systemctl", "show", "--property=Unit", "--value", "--", *timers).text
    units = tuple(sorted(set(told.split())))
    # Those without a job of their own are run to their end; a bad end is a failed unit.
    boot.run("systemctl", "start", "--", *units, timeout=timeout)
    return units


def restart_agent(boot: Boot) -> None:
    """Restart the agent's service, whatever the distribution calls it."""
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
        told = _UNMET.search(boot.run("systemctl", "status", "--lines=0", "--", unit).text)
        unmet = told[1] if told else ""
    loaded = block.get("LoadState", "not-found")
    state = f"{block.get('ActiveState', '')} ({block.get('SubState', '')})"
    return UnitState(
        unit=unit,
        enabled=block.get("UnitFileState") in _ENABLED,
        active=block.get("ActiveState") == "active",
        state=state if loaded == "loaded" else loaded,
        unmet=unmet,
    )
