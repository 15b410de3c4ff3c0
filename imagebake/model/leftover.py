"""Something that a bake left in the cloud, and what is to become of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class Kind(enum.StrEnum):
    """What was left."""

    TEMPLATE = "image template"
    STAGING = "staging group"
    RUN = "run"


class Act(enum.StrEnum):
    """What is done about it: ended by the note of its run, deleted, or left alone."""

    ADOPT = "adopt"
    DELETE = "delete"
    FORGET = "forget"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing, with its ARM id, and why it may or may not go."""

    kind: Kind
    id: str
    name: str
    act: Act
    why: str

    def to_json(self) -> dict[str, Any]:
        """The leftover for programs."""
        return {
            "kind": self.kind.value,
            "id": self.id,
            "name": self.name,
            "act": self.act.value,
            "why": self.why,
        }
