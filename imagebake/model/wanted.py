"""A resource as it is wanted, beside what is there, and what becomes of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.model.sameness import Difference


class What(enum.StrEnum):
    """What becomes of a resource."""

    CREATE = "create"
    CHANGE = "change"
    KEEP = "keep"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A resource as a template asks for it, *body* with all that is known put in."""

    id: str
    kind: str
    api_version: str
    deployment: str
    body: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What people call it: its names, without what they are in."""
        last = self.id.rpartition("/providers/")[2]
        return last.partition("/")[2] or last


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A wanted resource beside what is there."""

    wanted: Wanted
    what: What
    differences: tuple[Difference, ...] = ()
    why: str = ""
    there: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The change for programs."""
        return {
            "id": self.wanted.id,
            "type": self.wanted.kind,
            "what": self.what.value,
            "differences": [str(one) for one in self.differences],
            "why": self.why or None,
        }
