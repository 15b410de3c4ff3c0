"""What a verification found: every check by its name, and what is not as it was said to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was recomputed; *seen* says in words what was compared."""

    name: str
    seen: str
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The check for programs."""
        return {
            "check": self.name,
            "seen": self.seen,
            "passed": not self.problems,
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """All checks of *subject*, an `IMAGE@VERSION`."""

    subject: str
    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong, in the order of the checks."""
        return tuple(problem for check in self.checks for problem in check.problems)

    def __str__(self) -> str:
        """The checks for people, each problem below its own."""
        lines = []
        for check in self.checks:
            lines.append(f"{'failed' if check.problems else 'ok':6}  {check.name}: {check.seen}")
            lines += [f"        {problem}" for problem in check.problems]
        count = len(self.problems)
        ending = f"{count} discrepanc{'y' if count == 1 else 'ies'}" if count else "verified"
        return "\n".join([*lines, f"{self.subject}: {ending}"])

    def to_json(self) -> dict[str, Any]:
        """The verification for programs."""
        return {
            "subject": self.subject,
            "passed": not self.problems,
            "checks": [check.to_json() for check in self.checks],
        }
