"""The verdict of the offline proof: which laws first boots broke, and what that is worth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from imagebake.lab.ledger import DNS, OTHER, LedgerEntry, RequestKind
from imagebake.lab.proof_result import (
    Criterion,
    FirstBootResult,
    NegativeControl,
    Proof,
    ProofFailure,
    ProofRequirements,
)

AGENT_PACKAGES = ("waagent", "walinuxagent")
"""What Debian and Ubuntu call the guest agent's package."""

_HANDLER = re.compile(r"/var/lib/waagent/([A-Za-z0-9.]+)-(\d+(?:\.\d+){2,3})/")
_AGENT_MANIFEST = re.compile(r"/agent/|WALinuxAgent", re.IGNORECASE)
_EXTENSION = re.compile(r"/([A-Za-z0-9]+(?:\.[A-Za-z0-9]+)+)_(?:_[\d.]+\.zip|manifest\.xml)$")
_SHOWN = 60


def requester_of(entry: LedgerEntry, packages: Mapping[str, str]) -> str:
    """Who asked, as far as it was seen: the unit, its package, and the program.

    *packages* has the package of each unit of the image; a unit that is not in it was
    written by a customizer.
    """
    if not entry.unit:
        return f"{_program(entry)!r}" if entry.process else "a process that was not seen"
    package = packages.get(entry.unit)
    unit = f"{entry.unit} of package {package}" if package else f"{entry.unit} of no package"
    own = _HANDLER.search(entry.process)
    return f"{own.group(1)} below {unit}" if own else unit


def fix_for(entry: LedgerEntry, packages: Mapping[str, str]) -> str:
    """What to change in the spec so that nobody asks this again."""
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

_TELLS = (RequestKind.HTTP, RequestKind.TCP, RequestKind.UDP, RequestKind.PACKET, RequestKind.DNS)
"""The kinds of entries, the most telling first."""


def judge(
    demand: ProofRequirements,
    seen: Sequence[FirstBootResult],
    *,
    wanted: Sequence[str],
    controls: Sequence[NegativeControl] = (),
) -> Proof:
    """Hold every first boot against every law; what one unit did many times is one reason."""
    found = [reason for one in seen for reason in broken_criteria(demand, one)]
    reasons = [*_together(found), *_of_controls(controls)]
    return Proof(
        demand=demand,
        wanted=tuple(wanted),
        seen=tuple(seen),
        controls=tuple(controls),
        reasons=tuple(sorted(reasons, key=lambda reason: list(Criterion).index(reason.law))),
    )


def broken_criteria(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    """The laws that one first boot breaks; first what was asked, for that explains the rest."""
    silent = list(_asked(demand, seen))
    yield from silent
    if silent and seen.given_up:
        return
    checks = (_provisioned, _agent, _handlers, _services, _budget)
    yield from (reason for check in checks for reason in check(demand, seen))


def _asked(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    for entry in _telling(seen.ledger.entries):
        who = requester_of(entry, demand.packages)
        yield _reason(
            Criterion.SILENT, seen, f"{who} asked {_what(entry)}", fix_for(entry, demand.packages)
        )
    if not seen.ledger.entries and not seen.ledger.clean:
        places = ", ".join(f"{one.address}:{one.port}" for one in seen.ledger.destinations)
        yield _reason(
            Criterion.SILENT,
            seen,
            f"{_counted(seen)} packets left for {places or 'somewhere'}; their sender was not seen",
            "./inv ledger IMAGE shows when: look what starts at that time",
        )


def _telling(entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Of all that one unit asked of one host the entry that says most, in order of the first."""
    best: dict[tuple[str, str], LedgerEntry] = {}
    for entry in entries:
        key = entry.unit or entry.process, entry.host
        known = best.get(key)
        if known is None or _TELLS.index(entry.kind) < _TELLS.index(known.kind):
            best[key] = entry
    return tuple(best.values())


def _counted(seen: FirstBootResult) -> int:
    counters = seen.ledger.counters
    listed = sum(one.packets for one in seen.ledger.destinations)
    return max(counters.get(DNS, 0) + counters.get(OTHER, 0), listed)


def _what(entry: LedgerEntry) -> str:
    place = f"{entry.host}:{entry.port}" if entry.port else entry.host
    if entry.kind == "dns":
        return f"for the address of {entry.host}"
    return f"{place} for {entry.path}" if entry.path.strip() else place


def _provisioned(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    del demand
    if seen.booted and seen.provisioned != READY:
        said = seen.provisioned or "it reported nothing"
        yield _reason(
            Criterion.PROVISIONED,
            seen,
            f"cloud-init did not provision the machine: {said}",
            "pin 'cloud-init' as an agent, and look into its log with ./inv validate IMAGE",
        )


def _agent(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    if not demand.agent:
        return
    if not seen.ready:
        said = seen.message or ("it is not Ready" if seen.agent else "it reported nothing")
        yield _reason(
            Criterion.AGENT,
            seen,
            f"the guest agent did not become Ready: {said}",
            "keep 'azure-linux-agent' pinned, and its configuration as the bake wrote it",
        )
    elif seen.agent != demand.agent:
        yield _reason(
            Criterion.AGENT,
            seen,
            f"the guest agent is {seen.agent}, and {demand.agent} is pinned",
            "pin the version that the machine runs, or leave /etc/waagent.conf to the bake",
        )


def _handlers(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
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
            Criterion.HANDLERS,
            seen,
            f"extension {name} {version}: {said}",
            f"give {name} 'mode: cached' with its official zip, or 'native' with a pin",
        )


def _services(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    there = {one.unit: one for one in seen.services}
    for unit in demand.services if seen.booted else ():
        service = there.get(unit)
        if service and service.enabled and (service.active or service.unmet):
            continue
        said = "there is no such unit" if service is None else service.state or "inactive"
        if service and not service.enabled:
            said += ", and not enabled"
        yield _reason(
            Criterion.SERVICES,
            seen,
            f"{unit} is not running after the reboot: {said}",
            f"take out the customizer that disables or masks {unit}",
        )


def _budget(demand: ProofRequirements, seen: FirstBootResult) -> Iterator[ProofFailure]:
    if seen.ready and seen.seconds is not None and seen.seconds > demand.budget_seconds:
        yield _reason(
            Criterion.BUDGET,
            seen,
            f"Ready after {seen.seconds:.1f} s, and the budget is {demand.budget_seconds:g} s",
            "find what delays the boot, or raise 'proof.budget_seconds'",
        )


def _of_controls(controls: Sequence[NegativeControl]) -> Iterator[ProofFailure]:
    if controls and not any(control.caught for control in controls):
        tried = "; ".join(control.what for control in controls)
        yield ProofFailure(
            law=Criterion.CONTROL,
            message=f"the negative control did not fail ({tried}): a proof that cannot fail is"
            " no proof",
            fix="please open an issue with the image's spec: the mistake is in the proof",
        )


def _reason(law: Criterion, seen: FirstBootResult, message: str, fix: str) -> ProofFailure:
    return ProofFailure(law=law, message=message, fix=fix, trials=(seen.trial,))


def _together(reasons: Sequence[ProofFailure]) -> Iterator[ProofFailure]:
    """The same reason of several trials once, with the names of all of them."""
    by_what: dict[tuple[Criterion, str, str], list[str]] = {}
    for reason in reasons:
        by_what.setdefault((reason.law, reason.message, reason.fix), []).extend(reason.trials)
    for (law, message, fix), trials in by_what.items():
        yield ProofFailure(law=law, message=message, fix=fix, trials=tuple(dict.fromkeys(trials)))
