"""Rules: an id that never changes, a title, a reason, a fix, and the check itself."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from imagebake.kernel.diagnostics import Severity


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """The breach of rule *rule* by *subject* (a spec, a package, a path in the image)."""

    rule: str
    subject: str
    message: str
    fix: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.severity}[{self.rule}]: {self.subject}: {self.message}\n  = fix: {self.fix}"

    def to_json(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return {
            "rule": self.rule,
            "severity": self.severity.value,
            "subject": self.subject,
            "message": self.message,
            "fix": self.fix,
        }


Facts = TypeVar("Facts")


@dataclass(frozen=True, slots=True)
class Breach:
    """A breach of a rule at *subject*; *fix* replaces the rule's own where that is too general."""

    subject: str
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[Facts]):
    """A rule about specs or images.

    *title* states the rule, *why* the consequence of a breach, *source* the document or the
    measurement behind it, *fix* the change to make; IMAGE in it stands for the image's name.
    """

    id: str
    title: str
    why: str
    source: str
    fix: str
    severity: Severity
    check: Callable[[Facts], Iterable[Breach]]

    def findings(self, facts: Facts, image: str) -> Iterator[Finding]:
        """Yield the findings about *facts*; fixes name the commands for *image*."""
        for breach in self.check(facts):
            yield Finding(
                rule=self.id,
                subject=breach.subject,
                message=breach.message,
                fix=(breach.fix or self.fix).replace("IMAGE", image),
                severity=self.severity,
            )


def rule(
    rule_id: str,
    title: str,
    *,
    why: str,
    source: str,
    fix: str,
    severity: Severity = Severity.ERROR,
) -> Callable[[Callable[[Facts], Iterable[Breach]]], Rule[Facts]]:
    """Make a rule from the function that checks it."""

    def made(check: Callable[[Facts], Iterable[Breach]]) -> Rule[Facts]:
        return Rule(
            id=rule_id, title=title, why=why, source=source, fix=fix, severity=severity, check=check
        )

    return made


def rules_of(module: types.ModuleType) -> tuple[Rule[Any], ...]:
    """Return the rules that *module* defines, by id."""
    found = [value for value in vars(module).values() if isinstance(value, Rule)]
    return tuple(sorted(found, key=lambda rule: rule.id))
