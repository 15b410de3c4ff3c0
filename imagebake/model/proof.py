"""The offline proof: what was seen of first boots, and whether that proves anything."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagebake.model.advice import mend, suspect
from imagebake.model.ledger import DNS, OTHER, Ledger, LedgerEntry

READY = "Ready"


class Law(enum.StrEnum):
    """What every first boot of a proof must keep, and the last one what the proof must."""

    SILENT = "silent"
    PROVISIONED = "provisioned"
    AGENT = "agent"
    HANDLERS = "handlers"
    SERVICES = "services"
    BUDGET = "budget"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an image must show: its pins as a machine reports them.

    *agent* is the version that the guest agent must say it is, empty where the image pins
    none. *handlers* are the extensions of the goal state with their exact versions.
    *services* must be enabled and active after the reboot.
    """

    image: str
    agent: str = ""
    handlers: tuple[tuple[str, str], ...] = ()
    services: tuple[str, ...] = ()
    budget_seconds: float = 30.0
    packages: Mapping[str, str] = field(default_factory=dict)
    """Which package of the image each unit is from; a unit of no package is not in it."""

    def to_json(self) -> dict[str, Any]:
        """As the record of a proof has it."""
        return {
            "image": self.image,
            "agent": self.agent,
            "handlers": dict(self.handlers),
            "services": list(self.services),
            "budget_seconds": self.budget_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenHandler:
    """An extension handler as the agent reported it last."""

    name: str
    version: str
    ready: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenService:
    """A unit after the reboot. *unmet* is a condition that a container cannot meet."""

    unit: str
    enabled: bool
    active: bool
    state: str = ""
    unmet: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one first boot showed.

    *trial* names it, *means* says how the machine was started: `agent` alone, or a whole
    `boot` with its restart of the agent, its reboot and its timers. *provisioned* is what
    cloud-init reported. *seconds* is how long it took until all was Ready, None if never.
    *failed* are units that failed without anything depending on them.
    """

    trial: str
    means: str
    agent: str
    ready: bool
    seconds: float | None
    ledger: Ledger
    provisioned: str = ""
    message: str = ""
    handlers: tuple[SeenHandler, ...] = ()
    services: tuple[SeenService, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def booted(self) -> bool:
        """Whether the image's own init ran."""
        return self.means == "boot"

    def to_json(self) -> dict[str, Any]:
        """As the record of a proof has it; the ledger has a record of its own."""
        return {
            "trial": self.trial,
            "means": self.means,
            "provisioned": self.provisioned,
            "agent": self.agent,
            "ready": self.ready,
            "seconds": self.seconds,
            "handlers": {one.name: one.version for one in self.handlers if one.ready},
            "services": {one.unit: one.unmet or one.state for one in self.services},
            "failed": list(self.failed),
            "silent": self.ledger.clean,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The same image with what imagebake does taken out, or with a planted download.

    *what* says which. A control counts only when its ledger caught something: a machine that
    fails in silence shows nothing about what the proof can see.
    """

    what: str
    seen: Seen

    @property
    def caught(self) -> tuple[str, ...]:
        """What the ledger caught of it, in words; nothing when the control did not fail."""
        asked = tuple(dict.fromkeys(map(str, self.seen.ledger.entries)))
        if asked:
            return asked
        return () if self.seen.ledger.clean else ("packets that nobody could name",)

    def to_json(self) -> dict[str, Any]:
        """As the record of a proof has it."""
        return {"what": self.what, "caught": list(self.caught), "ready": self.seen.ready}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why there is no proof: which law is broken, by whom, and what to change in the spec."""

    law: Law
    message: str
    fix: str
    trials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A verdict over the first boots in *seen*. *wanted* are the trials that decide."""

    demand: Demand
    wanted: tuple[str, ...]
    seen: tuple[Seen, ...]
    controls: tuple[Control, ...]
    reasons: tuple[Reason, ...]

    @property
    def whole(self) -> bool:
        """Whether every trial that decides was carried out, and a control."""
        done = {one.trial for one in self.seen}
        return bool(self.wanted) and set(self.wanted) <= done and bool(self.controls)

    @property
    def passed(self) -> bool:
        """Whether this proves that the image provisions without downloading."""
        return self.whole and not self.reasons

    def to_json(self) -> dict[str, Any]:
        """The record of the proof."""
        return {
            "passed": self.passed,
            "whole": self.whole,
            "demand": self.demand.to_json(),
            "wanted": list(self.wanted),
            "trials": [one.to_json() for one in self.seen],
            "controls": [one.to_json() for one in self.controls],
            "reasons": [
                {
                    "law": str(one.law),
                    "message": one.message,
                    "fix": one.fix,
                    "trials": list(one.trials),
                }
                for one in self.reasons
            ],
        }


def judge(
    demand: Demand,
    seen: Sequence[Seen],
    *,
    wanted: Sequence[str],
    controls: Sequence[Control] = (),
) -> Proof:
    """Hold every first boot against every law; what one unit did many times is one reason."""
    found = [reason for one in seen for reason in broken(demand, one)]
    reasons = [*_together(found), *_of_controls(controls)]
    return Proof(
        demand=demand,
        wanted=tuple(wanted),
        seen=tuple(seen),
        controls=tuple(controls),
        reasons=tuple(sorted(reasons, key=lambda reason: list(Law).index(reason.law))),
    )


def broken(demand: Demand, seen: Seen) -> Iterator[Reason]:
    """The laws that one first boot breaks; first what was asked, for that explains the rest."""
    silent = list(_asked(demand, seen))
    yield from silent
    checks = (_provisioned, _agent, _handlers, _services, _budget)
    yield from (reason for check in checks for reason in check(demand, seen))


def _asked(demand: Demand, seen: Seen) -> Iterator[Reason]:
    named = set[tuple[str, str]]()
    for entry in seen.ledger.entries:
        if (entry.unit or entry.process, entry.host) not in named:
            named.add((entry.unit or entry.process, entry.host))
            who = suspect(entry, demand.packages)
            yield _reason(
                Law.SILENT, seen, f"{who} asked {_what(entry)}", mend(entry, demand.packages)
            )
    if not seen.ledger.entries and not seen.ledger.clean:
        places = ", ".join(f"{one.address}:{one.port}" for one in seen.ledger.destinations)
        yield _reason(
            Law.SILENT,
            seen,
            f"{_counted(seen)} packets left for {places or 'somewhere'}; their sender was not seen",
            "./inv ledger IMAGE shows when: look what starts at that time",
        )


def _counted(seen: Seen) -> int:
    counters = seen.ledger.counters
    listed = sum(one.packets for one in seen.ledger.destinations)
    return max(counters.get(DNS, 0) + counters.get(OTHER, 0), listed)


def _what(entry: LedgerEntry) -> str:
    place = f"{entry.host}:{entry.port}" if entry.port else entry.host
    if entry.kind == "dns":
        return f"for the address of {entry.host}"
    return f"{place} for {entry.path}" if entry.path.strip() else place


def _provisioned(demand: Demand, seen: Seen) -> Iterator[Reason]:
    del demand
    if seen.booted and seen.provisioned != READY:
        said = seen.provisioned or "it reported nothing"
        yield _reason(
            Law.PROVISIONED,
            seen,
            f"cloud-init did not provision the machine: {said}",
            "pin 'cloud-init' as an agent, and look into its log with ./inv validate IMAGE",
        )


def _agent(demand: Demand, seen: Seen) -> Iterator[Reason]:
    if not demand.agent:
        return
    if not seen.ready:
        said = seen.message or ("it is not Ready" if seen.agent else "it reported nothing")
        yield _reason(
            Law.AGENT,
            seen,
            f"the guest agent did not become Ready: {said}",
            "keep 'azure-linux-agent' pinned, and its configuration as the bake wrote it",
        )
    elif seen.agent != demand.agent:
        yield _reason(
            Law.AGENT,
            seen,
            f"the guest agent is {seen.agent}, and {demand.agent} is pinned",
            "pin the version that the machine runs, or leave /etc/waagent.conf to the bake",
        )


def _handlers(demand: Demand, seen: Seen) -> Iterator[Reason]:
    there = {one.name.lower(): one for one in seen.handlers}
    for name, version in demand.handlers:
        handler = there.get(name.lower())
        if handler and handler.ready and handler.version == version:
            continue
        if handler is None:
            said = "the agent does not report it"
        elif handler.ready:
            said = f"it is Ready as {handler.version}"
        else:
            said = f"not Ready: {handler.message}" if handler.message else "it is not Ready"
        yield _reason(
            Law.HANDLERS,
            seen,
            f"extension {name} {version}: {said}",
            f"give {name} 'mode: cached' with its official zip, or 'native' with a pin",
        )


def _services(demand: Demand, seen: Seen) -> Iterator[Reason]:
    there = {one.unit: one for one in seen.services}
    for unit in demand.services if seen.booted else ():
        service = there.get(unit)
        if service and service.enabled and (service.active or service.unmet):
            continue
        said = "there is no such unit" if service is None else service.state or "inactive"
        if service and not service.enabled:
            said += ", and not enabled"
        yield _reason(
            Law.SERVICES,
            seen,
            f"{unit} is not running after the reboot: {said}",
            f"take out the customizer that disables or masks {unit}",
        )


def _budget(demand: Demand, seen: Seen) -> Iterator[Reason]:
    if seen.ready and seen.seconds is not None and seen.seconds > demand.budget_seconds:
        yield _reason(
            Law.BUDGET,
            seen,
            f"Ready after {seen.seconds:.1f} s, and the budget is {demand.budget_seconds:g} s",
            "find what delays the boot, or raise 'proof.budget_seconds'",
        )


def _of_controls(controls: Sequence[Control]) -> Iterator[Reason]:
    if controls and not any(control.caught for control in controls):
        tried = "; ".join(control.what for control in controls)
        yield Reason(
            law=Law.CONTROL,
            message=f"the negative control did not fail ({tried}): a proof that cannot fail is"
            " no proof",
            fix="please open an issue with the image's spec: the mistake is in the proof",
        )


def _reason(law: Law, seen: Seen, message: str, fix: str) -> Reason:
    return Reason(law=law, message=message, fix=fix, trials=(seen.trial,))


def _together(reasons: Sequence[Reason]) -> Iterator[Reason]:
    """The same reason of several trials once, with the names of all of them."""
    by_what: dict[tuple[Law, str, str], list[str]] = {}
    for reason in reasons:
        by_what.setdefault((reason.law, reason.message, reason.fix), []).extend(reason.trials)
    for (law, message, fix), trials in by_what.items():
        yield Reason(law=law, message=message, fix=fix, trials=tuple(dict.fromkeys(trials)))
