"""Findings of the audit: runtime dependencies of machines, and places that stay unresolved.

The command calls a runtime dependency a debt, and so do its rules (D101 …) and its output.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from imagebake.kernel.diagnostics import Diagnostic, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyRule:
    """A kind of runtime dependency; *outage* is its effect on 2 February 2026."""

    id: str
    title: str
    outage: str
    severity: Severity = Severity.ERROR


EXTENSION = DependencyRule(
    id="D101",
    title="creating a machine waits for an extension",
    outage=(
        "from 18:03 UTC its package could not be downloaded: for 6 h 27 min machines were created"
        " and never became ready"
    ),
)
MINOR = DependencyRule(
    id="D102",
    title="an extension's version is chosen when a machine is created",
    outage="no copy in an image could have replaced a version that is chosen only at creation",
)
AUTOMATIC = DependencyRule(
    id="D103",
    title="an extension upgrades itself",
    outage="machines that ran well went to the same storage for an upgrade, and got none",
)
INEXACT = DependencyRule(
    id="D104",
    title="an extension's version is not written out",
    outage="the missing package could not be named, so no image could have contained it",
    severity=Severity.WARNING,
)
FILES = DependencyRule(
    id="D105",
    title="an extension fetches files",
    outage=(
        "it was never reached, because the extension was missing; with it in place, storage in the"
        " same state or an identity service that is down (3 February, 5 h 57 min) stops it"
    ),
)
COMMAND = DependencyRule(
    id="D106",
    title="an extension runs a command that downloads",
    outage=(
        "it was never reached, because the extension was missing; every host that it downloads"
        " from is one more that has to be up"
    ),
)
START = DependencyRule(
    id="D107",
    title="a machine downloads at its first start",
    outage=(
        "it was not affected, as it uses other hosts; an outage of one of them stops it the same"
        " way"
    ),
)
LATEST = DependencyRule(
    id="D108",
    title="an image reference takes the latest version",
    outage=(
        "it was not affected; but a machine created again that night could differ from the one"
        " before"
    ),
    severity=Severity.WARNING,
)

RULES = (EXTENSION, MINOR, AUTOMATIC, INEXACT, FILES, COMMAND, START, LATEST)
"""Every kind of runtime dependency, by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeDependency:
    """A runtime dependency at its place; *instead* is the advised replacement."""

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
        """Sort key: position, then rule."""
        return (self.path, self.line, self.column, self.rule.id, self.message)

    def to_json(self) -> dict[str, Any]:
        """Return the dependency for `--json`."""
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
    """A place that could not be resolved, and why."""

    path: str
    line: int
    column: int
    what: str
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return the place for `--json`."""
        return {
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "what": self.what,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyReport:
    """Result of an audit of *files* files; *malformed* are syntax errors."""

    files: int
    dependencies: tuple[RuntimeDependency, ...]
    unresolved: tuple[UnresolvedPlace, ...]
    malformed: tuple[Diagnostic, ...]

    def totals(self) -> dict[str, dict[str, int]]:
        """Count the dependencies and the affected files by rule."""
        counts = Counter(dependency.rule.id for dependency in self.dependencies)
        return {
            rule.id: {
                "debts": counts[rule.id],
                "files": len(
                    {dependency.path for dependency in self.dependencies if dependency.rule is rule}
                ),
            }
            for rule in RULES
            if counts[rule.id]
        }

    def to_json(self) -> dict[str, Any]:
        """Return the report for `--json`."""
        return {
            "files": self.files,
            "debts": [dependency.to_json() for dependency in self.dependencies],
            "gaps": [place.to_json() for place in self.unresolved],
            "malformed": [
                {
                    "path": mistake.path,
                    "line": mistake.line,
                    "column": mistake.column,
                    "code": mistake.code,
                    "message": mistake.message,
                }
                for mistake in self.malformed
            ],
            "totals": self.totals(),
        }
