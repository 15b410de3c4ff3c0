"""The reference page of all rules, generated from the rules themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imagebake.policy.registry import (
    DISK_SECTIONS,
    IMAGE_SECTIONS,
    PROOF_SECTIONS,
    SPEC_SECTIONS,
)
from imagebake.policy.rule import Rule

_INTRODUCTION = """\
# Rules

What `./inv validate` checks. Each rule has an id that never changes and is never given to
another rule. An *error* fails the check (exit code 3), a *warning* is only reported.
Rules over specs and locks need neither a baked image nor the network:
`./inv validate IMAGE --rules-only`. Rules over first boots are judged by
[the proof](../concepts/proof.md), rules over disks with `./inv validate IMAGE --boot`.
"""


_SECTIONS = (*SPEC_SECTIONS, *IMAGE_SECTIONS, *PROOF_SECTIONS, *DISK_SECTIONS)


def rules_page() -> str:
    """Return the rule catalogue as Markdown."""
    parts = [_INTRODUCTION]
    for title, rules in _SECTIONS:
        rows = (
            f"| [{rule.id}](#{_anchor(rule)}) | {rule.title} | {rule.severity} |" for rule in rules
        )
        parts.append(
            "\n".join((f"## {title}\n", "| id | rule | severity |", "|---|---|---|", *rows))
        )
        parts.extend("\n".join(_entry(rule)) for rule in rules)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _entry(rule: Rule[Any]) -> Iterator[str]:
    yield f"### {rule.id}: {rule.title}\n"
    yield f"- **Severity:** {rule.severity}"
    yield f"- **Why:** {rule.why}."
    yield f"- **Mend:** {rule.fix}."
    yield f"- **Source:** {rule.source}."


def _anchor(rule: Rule[Any]) -> str:
    """Return the fragment that Markdown renderers generate for the entry's heading."""
    heading = f"{rule.id}: {rule.title}".lower().replace(" ", "-")
    return "".join(letter for letter in heading if letter.isalnum() or letter in "-_")
