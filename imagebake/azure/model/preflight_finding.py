"""Findings of the checks that a subscription is ready for builds."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightFinding:
    """A property of the subscription that breaks a build, or only may (*sure* is false)."""

    check: str
    what: str
    why: str
    command: str
    sure: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON."""
        return {
            "check": self.check,
            "what": self.what,
            "why": self.why,
            "command": self.command,
            "sure": self.sure,
        }

    def __str__(self) -> str:
        word = "error" if self.sure else "warning"
        return f"{word}[{self.check}]: {self.what}\n  = why: {self.why}\n  = next: {self.command}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequirements:
    """Requirements of the specs and settings on a subscription.

    *sizes* are VM sizes by region, with the number needed at once. *managed_tags* are the tags
    that every build sets on the resources that Azure creates for it. *own_network* is whether
    builds bring their subnet, *account* the id of the mirror's storage account.
    """

    location: str
    sizes: Mapping[str, Mapping[str, int]]
    regions: tuple[str, ...]
    galleries: tuple[tuple[str, str, str], ...]
    identity: str
    build_identity: str
    account: str
    managed_tags: Mapping[str, str]
    own_network: bool
    scopes: Mapping[str, tuple[str, ...]]


def permits(permissions: Iterable[Mapping[str, Any]], action: str, *, data: bool = False) -> bool:
    """Return whether *permissions*, as ARM lists them, allow *action*."""
    yes, no = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(
        _matches(permission.get(yes), action) and not _matches(permission.get(no), action)
        for permission in permissions
    )


def _matches(patterns: Any, action: str) -> bool:  # noqa: ANN401 - JSON
    return any(fnmatch.fnmatchcase(action.lower(), str(item).lower()) for item in patterns or ())
