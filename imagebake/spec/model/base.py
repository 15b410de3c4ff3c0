"""The base of values that are read from text: frozen, strict, no unknown keys."""

from __future__ import annotations

import enum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Value(BaseModel):
    """A frozen value; unknown keys and implicit conversions are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON, without absent fields."""
        return self.model_dump(mode="json", exclude_none=True)


class Grown(Value):
    """A value that has gained keys since its first recorded instances.

    Keys in *later* are written only where they differ from their default, so that the digest of
    an older spec stays valid while the spec is unchanged.
    """

    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _as_before(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        whole: dict[str, Any] = written(self)
        return {
            key: value
            for key, value in whole.items()
            if key not in self.later
            or getattr(self, key) != fields[key].get_default(call_default_factory=True)
        }


_UBUNTU = frozenset(
    [
        "bionic",
        "focal",
        "jammy",
        "noble",
        "oracular",
        "plucky",
        "questing",
        "resolute",
    ]  # 18.04 to 26.04
)


class Distribution(enum.StrEnum):
    """A family of suites with the same names for packages."""

    DEBIAN = "debian"
    UBUNTU = "ubuntu"


def distribution_of(suite: str) -> Distribution:
    """Return the distribution of *suite*; an unknown suite counts as Debian's."""
    return Distribution.UBUNTU if suite in _UBUNTU else Distribution.DEBIAN
