"""The verdict of the offline proof: criteria that first boots failed, causes and fixes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from imagebake.lab.ledger import DNS, OTHER, LedgerEntry, RequestKind
from imagebake.lab.proof_result import (
    FirstBootResult,
    NegativeControl,
    Proof,
    ProofCriterion,
    ProofFailure,
    ProofRequirements,
)

AGENT_PACKAGES = ("waagent", "walinuxagent")
"""The guest agent's package in Debian and in Ubuntu."""

_HANDLER = re.compile(r"/var/lib/waagent/([A-Za-z0-9.]+)-(\d+(?:\.\d+){2,3})/")
_AGENT_MANIFEST = re.compile(r"/agent/|WALinuxAgent", re.IGNORECASE)
_EXTENSION = re.compile(r"/([A-Za-z0-9]+(?:\.[A-Za-z0-9]+)+)_(?:_[\d.]+\.zip|manifest\.xml)$")
_SHOWN = 60


def requester_of(entry: LedgerEntry, packages: Mapping[str, str]) -> str:
    """Return who sent a request, as far as known: unit, package and program.

    *packages* names the package of each unit; a unit that is not in it was written by a customizer.
    """
    if not entry.unit:
        return f"{_program(entry)!r}" if entry.process else "a process that was not seen"
    package = packages.get(entry.unit)
    unit = f"{entry.unit} of package {package}" if package else f"{entry.unit} of no package"
    own = _HANDLER.search(entry.process)
    return f"{own.group(1)} below {unit}" if own else unit


def fix_for(entry: LedgerEntry, packages: Mapping[str, str]) -> str:
    """Return the change to the spec that prevents this request."""
    package = packages.get(entry.unit, "")
    if own := _HANDLER.search(entry.process):
        return (
            f"the own script of extension {own.group(1)} downloads: give it 'mode: native' with"
            " a pin of what it installs, or 'mode: absent'"
        )
    if package in AGENT_PACKAGES:
        return _of_agent(entry)
    if not entry.unit:
        return "./inv ledger IMAGE shows what else was asked then: look what starts at that time"
    mask = f"a customizer with the line 'sudo systemctl mask {entry.unit}'"
    if package:
        return f"add {mask}, or take package {package} out of the spec"
    return (
        f"take {entry.unit} out of the customizer that writes it, and pin what it downloads"
        f" under 'pins'; or add {mask}"
    )


def _of_agent(entry: LedgerEntry) -> str:
    extension = _EXTENSION.search(entry.path)
    if extension and not _AGENT_MANIFEST.search(entry.path):
        return (
            f"extension {extension.group(1)} would be downloaded: give it 'mode: cached' with its"
            " official zip, or 'mode: native' with a pin"
        )
    return (
        "the agent looks for a newer agent or for an extension: keep 'azure-linux-agent' pinned,"
        " and leave AutoUpdate and HttpProxy in /etc/waagent.conf as the bake writes them"
    )


def _program(entry: LedgerEntry) -> str:
    text = entry.process
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


READY = "Ready"

_BY_DETAIL = (
    RequestKind.HTTP,
    RequestKind.TCP,
    RequestKind.UDP,
    RequestKind.PACKET,
    RequestKind.DNS,
)
"""The kinds of entries, the most specific first."""


def judge(
    demand: ProofRequirements,
    seen: Sequence[FirstBootResult],
    *,
    wanted: Sequence[str],
    controls: Sequence[NegativeControl] = (),
) -> Proof:
    """Check every first boot against every criterion; merge equal failures of several boots."""
    found = [reason for result in seen for reason in broken_criteria(demand, result)]
    reasons = [*_together(found), *_of_controls(controls)]
    return Proof(
        demand=demand,
        wanted=tuple(wanted),
        seen=tuple(seen),
        controls=tuple(controls),
        reasons=tuple(
            sorted(reasons, key=lambda reason: list(ProofCriterion).index(reason.criterion))
        ),
    )


def broken_criteria(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    """Yield the failures of one first boot; requests come first, since they explain others."""
    silent = list(_asked(demand, seen))
    yield from silent
    if silent and seen.given_up:
        return
    checks = (_provisioned, _agent, _handlers, _services, _budget)
    yield from (reason for check in checks for reason in check(demand, seen))


def _asked(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    for entry in _most_specific(seen.ledger.entries):
        who = requester_of(entry, demand.packages)
        yield _reason(
            ProofCriterion.SILENT,
            seen,
            f"{who} asked {_what(entry)}",
            fix_for(entry, demand.packages),
        )
    if not seen.ledger.entries and not seen.ledger.clean:
        places = ", ".join(
            f"{destination.address}:{destination.port}" for destination in seen.ledger.destinations
        )
        yield _reason(
            ProofCriterion.SILENT,
            seen,
            f"{_counted(seen)} packets left for {places or 'an unknown address'};"
            " their sender was not seen",
            "./inv ledger IMAGE shows when: look what starts at that time",
        )


def _most_specific(entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Return the most specific entry for each unit and host, in order of appearance."""
    best: dict[tuple[str, str], LedgerEntry] = {}
    for entry in entries:
        key = entry.unit or entry.process, entry.host
        known = best.get(key)
        if known is None or _BY_DETAIL.index(entry.kind) < _BY_DETAIL.index(known.kind):
            best[key] = entry
    return tuple(best.values())


def _counted(seen: FirstBootResult) -> int:
    counters = seen.ledger.counters
    listed = sum(destination.packets for destination in seen.ledger.destinations)
    return max(counters.get(DNS, 0) + counters.get(OTHER, 0), listed)


def _what(entry: LedgerEntry) -> str:
    place = f"{entry.host}:{entry.port}" if entry.port else entry.host
    if entry.kind == "dns":
        return f"for the address of {entry.host}"
    return f"{place} for {entry.path}" if entry.path.strip() else place


def _provisioned(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    del demand
    if seen.booted and seen.provisioned != READY:
        reason = seen.provisioned or "it reported nothing"
        yield _reason(
            ProofCriterion.PROVISIONED,
            seen,
            f"cloud-init did not provision the machine: {reason}",
            "pin 'cloud-init' as an agent, and look into its log with ./inv validate IMAGE",
        )


def _agent(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    if not demand.agent:
        return
    if not seen.ready:
        reason = seen.message or ("it is not Ready" if seen.agent else "it reported nothing")
        yield _reason(
            ProofCriterion.AGENT,
            seen,
            f"the guest agent did not become Ready: {reason}",
            "keep 'azure-linux-agent' pinned, and its configuration as the bake wrote it",
        )
    elif seen.agent != demand.agent:
        yield _reason(
            ProofCriterion.AGENT,
            seen,
            f"the guest agent is {seen.agent}, and {demand.agent} is pinned",
            "pin the version that the machine runs, or leave /etc/waagent.conf to the bake",
        )


def _handlers(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    there = {handler.name.lower(): handler for handler in seen.handlers}
    for name, version in demand.handlers:
        handler = there.get(name.lower())
        if handler and handler.ready and handler.version == version:
            continue
        if handler is None:
            reason = "the agent does not report it"
        elif handler.ready:
            reason = f"it is Ready as {handler.version}"
        else:
            reason = f"not Ready: {handler.message}" if handler.message else "it is not Ready"
        yield _reason(
            ProofCriterion.HANDLERS,
            seen,
            f"extension {name} {version}: {reason}",
            f"give {name} 'mode: cached' with its official zip, or 'native' with a pin",
        )


def _services(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    there = {service.unit: service for service in seen.services}
    for unit in demand.services if seen.booted else ():
        service = there.get(unit)
        if service and service.enabled and (service.active or service.unmet):
            continue
        reason = "there is no such unit" if service is None else service.state or "inactive"
        if service and not service.enabled:
            reason += ", and not enabled"
        yield _reason(
            ProofCriterion.SERVICES,
            seen,
            f"{unit} is not running after the reboot: {reason}",
            f"take out the customizer that disables or masks {unit}",
        )


def _budget(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    if seen.ready and seen.seconds is not None and seen.seconds > demand.budget_seconds:
        yield _reason(
            ProofCriterion.BUDGET,
            seen,
            f"Ready after {seen.seconds:.1f} s, and the budget is {demand.budget_seconds:g} s",
            "find what delays the boot, or raise 'proof.budget_seconds'",
        )


def _of_controls(controls: Sequence[NegativeControl]) -> Iterator[ProofFailure]:
    if controls and not any(control.caught for control in controls):
        tried = "; ".join(control.what for control in controls)
        yield ProofFailure(
            criterion=ProofCriterion.CONTROL,
            message=f"the negative control did not fail ({tried}): a proof that cannot fail is"
            " no proof",
            fix="please open an issue with the image's spec: the mistake is in the proof",
        )


def _reason(law: ProofCriterion, seen: FirstBootResult, message: str, fix: str) -> ProofFailure:
    return ProofFailure(criterion=law, message=message, fix=fix, trials=(seen.trial,))


def _together(reasons: Sequence[ProofFailure]) -> Iterator[ProofFailure]:
    """Merge equal failures of several trials into one that names them all."""
    by_what: dict[tuple[ProofCriterion, str, str], list[str]] = {}
    for reason in reasons:
        by_what.setdefault((reason.criterion, reason.message, reason.fix), []).extend(reason.trials)
    for (law, message, fix), trials in by_what.items():
        yield ProofFailure(
            criterion=law, message=message, fix=fix, trials=tuple(dict.fromkeys(trials))
        )
