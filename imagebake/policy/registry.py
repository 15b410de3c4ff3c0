"""All rules, by what they check: specs, images, proofs and disks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from imagebake.policy import (
    agent_rules,
    azure_step_rules,
    build_rules,
    delivery_rules,
    disk_rules,
    hygiene_rules,
    leftover_rules,
    lock_rules,
    output_rules,
    package_rules,
    pin_rules,
    proof_rules,
    restage_rules,
    secret_rules,
    step_rules,
    target_rules,
    windows_rules,
)
from imagebake.policy.facts import DiskFacts, ImageFacts, ProofFacts, SpecFacts
from imagebake.policy.rule import Finding, Rule, rules_of

# One module holds the rules about secrets, in specs (P1xx) and in images (P4xx).
_SECRETS = rules_of(secret_rules)

SPEC_SECTIONS = (
    ("Specs: pins", rules_of(pin_rules)),
    ("Specs: agents and extensions", rules_of(delivery_rules)),
    ("Specs: customizers", rules_of(step_rules)),
    ("Specs: Azure's own steps", rules_of(azure_step_rules)),
    ("Specs: secrets", tuple(rule for rule in _SECRETS if rule.id < "P400")),
    ("Specs: outputs and triggers", rules_of(output_rules)),
    ("Specs: gallery and regions", rules_of(target_rules)),
    ("Specs: the build machine", rules_of(build_rules)),
    ("Locks", rules_of(lock_rules)),
    ("Specs: Windows", rules_of(windows_rules)),
)
"""The rules over specs and locks, by section of the reference page."""

IMAGE_SECTIONS = (
    ("Images: what is installed", rules_of(package_rules)),
    ("Images: the first boot", rules_of(agent_rules)),
    ("Images: agents and extensions that wait", rules_of(restage_rules)),
    ("Images: identity", rules_of(hygiene_rules)),
    ("Images: leftovers", rules_of(leftover_rules)),
    ("Images: secrets", tuple(rule for rule in _SECRETS if rule.id >= "P400")),
)
"""The rules over a baked image and its lock."""

PROOF_SECTIONS = (("First boots", rules_of(proof_rules)),)
"""The rules over the results of the offline proof."""

DISK_SECTIONS = (("Disks", rules_of(disk_rules)),)
"""The rules over the boot of an exported disk."""

SPEC_RULES = tuple(rule for _, rules in SPEC_SECTIONS for rule in rules)
"""The rules that need neither an image nor the network."""

IMAGE_RULES = tuple(rule for _, rules in IMAGE_SECTIONS for rule in rules)
"""The rules that need an image."""

PROOF_RULES = tuple(rule for _, rules in PROOF_SECTIONS for rule in rules)
"""The rules that need first boots of an image."""

DISK_RULES = tuple(rule for _, rules in DISK_SECTIONS for rule in rules)
"""The rules that need the boot of an exported disk."""


def judge_spec(facts: SpecFacts) -> tuple[Finding, ...]:
    """Return the findings about a spec and its lock, errors first."""
    return _judge(SPEC_RULES, facts)


def judge_image(facts: ImageFacts) -> tuple[Finding, ...]:
    """Return the findings about an image, errors first."""
    return _judge(IMAGE_RULES, facts)


def judge_proof(facts: ProofFacts) -> tuple[Finding, ...]:
    """Return the findings about a proof, in the order of the rules."""
    found = (finding for rule in PROOF_RULES for finding in rule.findings(facts, facts.spec.name))
    return tuple(dict.fromkeys(found))


def judge_disk(facts: DiskFacts) -> tuple[Finding, ...]:
    """Return the findings about a disk's boot, errors first."""
    return _judge(DISK_RULES, facts)


def _judge(
    rules: Iterable[Rule[Any]], facts: SpecFacts | ImageFacts | DiskFacts
) -> tuple[Finding, ...]:
    found = {finding for rule in rules for finding in rule.findings(facts, facts.spec.name)}
    return tuple(sorted(found, key=lambda finding: (finding.severity.value, finding)))
