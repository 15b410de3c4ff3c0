"""A finding: one rule that something breaks, with the way to mend it."""

from __future__ import annotations

from dataclasses import dataclass

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
