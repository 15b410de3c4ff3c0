"""What is not done, and what is not done yet."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What is not done to *subject*: why, what protects it, and the command that shows that."""

    subject: str
    wanted: str
    reason: str
    protector: str = ""
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """The refusal for programs."""
        return {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What will be done to *subject* later, and from when on."""

    subject: str
    wanted: str
    at: dt.datetime | None = field(default=None)

    def to_json(self) -> dict[str, Any]:
        """What is due, for programs."""
        return {
            "subject": self.subject,
            "wanted": self.wanted,
            "at": self.at.isoformat() if self.at else None,
        }
