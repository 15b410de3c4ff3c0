"""The base of every value that comes from a text: frozen, strict, no unknown keys."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value; unknown keys and silent conversions are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def to_json(self) -> dict[str, Any]:
        """The value as JSON; what is absent is left out."""
        return self.model_dump(mode="json", exclude_none=True)
