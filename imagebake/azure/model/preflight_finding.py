"""What would break a build in a subscription: found before the build, with the way out."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One thing that is not as a build needs it; *sure* is false where it only may break one."""

    check: str
    what: str
    why: str
    command: str
    sure: bool = True

    def to_json(self) -> dict[str, Any]:
        """The complaint for programs."""
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
class Needs:
    """What the specs and settings need of a subscription.

    *sizes* are machine sizes by the region that they are made in, with how many of each at
    once. *managed_tags* are those that every build gives to what Azure makes for it. *own_network*
    is whether builds bring their subnet, *account* the id of the mirror's storage account.
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
    """Whether *permissions*, as ARM lists them, allow *action*."""
    yes, no = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(
        _matches(one.get(yes), action) and not _matches(one.get(no), action) for one in permissions
    )


def _matches(patterns: Any, action: str) -> bool:  # noqa: ANN401 - JSON
    return any(fnmatch.fnmatchcase(action.lower(), str(one).lower()) for one in patterns or ())
