"""Rules about first boots, as the offline proof observed them: P501 to P509."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.kernel.diagnostics import Severity
from imagebake.lab.proof_result import ProofCriterion, ProofFailure
from imagebake.policy.facts import ProofFacts
from imagebake.policy.rule import Breach, rule

_MEASURED = "WALinuxAgent, measured with every artifact host dead"
_DESIGN = "imagebake's design: the offline proof"
_FEW = 3


@rule(
    "P501",
    "A first boot contacts no host but its platform",
    why="any other host may be down, and then no machine is provisioned",
    source="the outage of 2 February 2026; packets counted by the kernel, questions for names too",
    fix="./inv ledger IMAGE shows what was asked, by whom and when",
)
def _contacts_no_host(facts: ProofFacts) -> Iterator[Breach]:
    return _breaches(facts, ProofCriterion.SILENT)


@rule(
    "P502",
    "cloud-init provisions the machine",
    why="without its report Azure takes the machine for one that failed",
    source="Azure's data source of cloud-init, which reports to the wire server",
    fix="pin 'cloud-init' as an agent",
)
def _provisions(facts: ProofFacts) -> Iterator[Breach]:
    return _breaches(facts, ProofCriterion.PROVISIONED)


@rule(
    "P503",
    "The guest agent becomes Ready, at the version that is pinned",
    why="Azure waits for the agent's report, and another version was not reviewed",
    source=_MEASURED,
    fix="keep 'azure-linux-agent' pinned",
)
def _agent_is_ready(facts: ProofFacts) -> Iterator[Breach]:
    return _breaches(facts, ProofCriterion.AGENT)


@rule(
    "P504",
    "Every cached extension becomes Ready, at the version that is pinned",
    why="a resource that waits for an extension fails with it",
    source=_MEASURED,
    fix="give the extension 'mode: cached' with its official zip",
)
def _handlers_are_ready(facts: ProofFacts) -> Iterator[Breach]:
    return _breaches(facts, ProofCriterion.HANDLERS)


@rule(
    "P505",
    "Every pinned service is enabled and runs after a reboot",
    why="an agent that runs once and never again looks well until the first maintenance",
    source="measurement: mdatp of spring 2026 left its service disabled after a reboot",
    fix="take out the customizer that disables or masks it",
)
def _services_run(facts: ProofFacts) -> Iterator[Breach]:
    return _breaches(facts, ProofCriterion.SERVICES)


@rule(
    "P506",
    "A first boot is Ready within the spec's budget",
    why="scale sets that grow under load wait for every second of it",
    source=_DESIGN,
    fix="find what delays the boot, or raise 'proof.budget_seconds'",
)
def _keeps_the_budget(facts: ProofFacts) -> Iterator[Breach]:
    return _breaches(facts, ProofCriterion.BUDGET)


@rule(
    "P507",
    "The negative control fails",
    why="a proof that cannot fail proves nothing",
    source=_DESIGN,
    fix="please open an issue with the image's spec",
)
def _control_fails(facts: ProofFacts) -> Iterator[Breach]:
    return _breaches(facts, ProofCriterion.CONTROL)


@rule(
    "P508",
    "The offline proof has been carried out",
    why="what has not been tried may download",
    source=_DESIGN,
    fix="as root on Linux, where the image was baked: ./inv validate IMAGE",
    severity=Severity.WARNING,
)
def _is_carried_out(facts: ProofFacts) -> Iterator[Breach]:
    if facts.proof is None:
        yield Breach(facts.subject, f"not proven here: {facts.hindrance}", facts.mend)


@rule(
    "P509",
    "No unit fails at a first boot",
    why="what fails on every machine hides what fails on one",
    source="systemctl list-units --failed, before the reboot and after it",
    fix="find out why in the unit's journal, and mend or mask it in a customizer",
    severity=Severity.WARNING,
)
def _no_unit_fails(facts: ProofFacts) -> Iterator[Breach]:
    for seen in facts.proof.seen if facts.proof else ():
        for unit in seen.failed:
            package = facts.proof.demand.packages.get(unit) if facts.proof else None
            of = f" of package {package}" if package else ""
            yield Breach(facts.subject, f"{unit}{of} failed in {seen.trial!r}")


def _breaches(facts: ProofFacts, criterion: ProofCriterion) -> Iterator[Breach]:
    for reason in facts.proof.reasons if facts.proof else ():
        if reason.criterion is criterion:
            where = spoken(reason, len(facts.proof.seen) if facts.proof else 0)
            yield Breach(facts.subject, reason.message + where, reason.fix)


def spoken(reason: ProofFailure, trials: int) -> str:
    """Return in which of *trials* first boots it happened, in brackets; empty where clear."""
    count = len(reason.trials)
    if not count or trials == 1:
        return ""
    if count == trials:
        return f" (in all {trials} first boots)"
    more = f" and {count - _FEW} more" if count > _FEW else ""
    return f" (in {', '.join(reason.trials[:_FEW])}{more})"
