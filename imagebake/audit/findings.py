"""Debt: what machines wait for while they are created, as templates of others say it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from imagebake.kernel.diagnostics import Diagnostic, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyRule:
    """A kind of debt: *outage* says what the outage of 2 February 2026 made of it."""

    id: str
    title: str
    outage: str
    severity: Severity = Severity.ERROR


EXTENSION = DependencyRule(
    id="D101",
    title="an extension is on the way of creating machines",
    outage=(
        "from 18:03 UTC nobody could fetch its package: for 6 h 27 min machines were created"
        " and never became ready"
    ),
)
MINOR = DependencyRule(
    id="D102",
    title="an extension's version is chosen when a machine is created",
    outage="no copy that an image had could have stood in for a version that nobody knew yet",
)
AUTOMATIC = DependencyRule(
    id="D103",
    title="an extension upgrades itself",
    outage="machines that ran well went to the same storage for an upgrade, and got none",
)
INEXACT = DependencyRule(
    id="D104",
    title="an extension's version is not written out",
    outage="which package was missing could not be said; no image could have carried it",
    severity=Severity.WARNING,
)
FILES = DependencyRule(
    id="D105",
    title="an extension fetches files",
    outage=(
        "it was never reached, as the extension did not come; with it in place, storage in the"
        " same state or an identity service that is down (3 February, 5 h 57 min) stops it"
    ),
)
COMMAND = DependencyRule(
    id="D106",
    title="an extension runs a command that downloads",
    outage=(
        "it was never reached, as the extension did not come; every host that it fetches from"
        " is one more that has to be up"
    ),
)
START = DependencyRule(
    id="D107",
    title="a machine downloads at its first start",
    outage="it was spared, as it asks other hosts; a day without one of them stops it the same way",
)
LATEST = DependencyRule(
    id="D108",
    title="an image is whichever is the newest",
    outage="it was spared; a machine made anew that night need not have been like the one before",
    severity=Severity.WARNING,
)

RULES = (EXTENSION, MINOR, AUTOMATIC, INEXACT, FILES, COMMAND, START, LATEST)
"""Every kind of debt, by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeDependency:
    """One debt at its place; *instead* is what would take its place."""

    rule: DependencyRule
    severity: Severity
    path: str
    line: int
    column: int
    subject: str
    message: str
    outage: str
    instead: str
    source: str = ""
    via: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """By place, then by rule."""
        return (self.path, self.line, self.column, self.rule.id, self.message)

    def to_json(self) -> dict[str, Any]:
        """The debt for programs."""
        return {
            "rule": self.rule.id,
            "severity": self.severity.value,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "subject": self.subject,
            "message": self.message,
            "outage": self.outage,
            "instead": self.instead,
            "via": list(self.via),
        }


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class UnresolvedPlace:
    """A place that could not be looked into, and why."""

    path: str
    line: int
    column: int
    what: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """The gap for programs."""
        return {
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "what": self.what,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyReport:
    """What was found in *files* files: debts, gaps, and what is not in its language."""

    files: int
    debts: tuple[RuntimeDependency, ...]
    gaps: tuple[UnresolvedPlace, ...]
    malformed: tuple[Diagnostic, ...]

    def totals(self) -> dict[str, dict[str, int]]:
        """How many debts of each rule there are, and in how many files."""
        counts = Counter(debt.rule.id for debt in self.debts)
        return {
            rule.id: {
                "debts": counts[rule.id],
                "files": len({debt.path for debt in self.debts if debt.rule is rule}),
            }
            for rule in RULES
            if counts[rule.id]
        }

    def to_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "files": self.files,
            "debts": [debt.to_json() for debt in self.debts],
            "gaps": [gap.to_json() for gap in self.gaps],
            "malformed": [
                {
                    "path": one.path,
                    "line": one.line,
                    "column": one.column,
                    "code": one.code,
                    "message": one.message,
                }
                for one in self.malformed
            ],
            "totals": self.totals(),
        }
