"""What a rule is: one law with an id that never changes, and the function that checks it."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from imagebake.kernel.diagnostics import Severity


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """What rule *rule* says about *subject* (a spec, a package, a path in the image)."""

    rule: str
    subject: str
    message: str
    fix: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.severity}[{self.rule}]: {self.subject}: {self.message}\n  = fix: {self.fix}"

    def to_json(self) -> dict[str, str]:
        """The finding for programs."""
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
    """One place where a rule is broken; *fix* where the rule's own would be too general."""

    subject: str
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[Facts]):
    """A law about specs or images.

    *title* states it as it should be, *why* says what happens otherwise, *source* names
    the document or the measurement behind it, *fix* says what to change; IMAGE in it stands
    for the image's name.
    """

    id: str
    title: str
    why: str
    source: str
    fix: str
    severity: Severity
    check: Callable[[Facts], Iterable[Breach]]

    def findings(self, facts: Facts, image: str) -> Iterator[Finding]:
        """What the rule finds in *facts*; fixes name the commands for *image*."""
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
    """Make a rule of the function that checks it."""

    def made(check: Callable[[Facts], Iterable[Breach]]) -> Rule[Facts]:
        return Rule(
            id=rule_id, title=title, why=why, source=source, fix=fix, severity=severity, check=check
        )

    return made


def rules_of(module: types.ModuleType) -> tuple[Rule[Any], ...]:
    """The rules that *module* defines, by id."""
    found = [value for value in vars(module).values() if isinstance(value, Rule)]
    return tuple(sorted(found, key=lambda rule: rule.id))
