"""The base of every value that comes from a text: frozen, strict, no unknown keys."""

from __future__ import annotations

import enum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer


class Value(BaseModel):
    """A frozen value; unknown keys and silent conversions are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def to_json(self) -> dict[str, Any]:
        """The value as JSON; what is absent is left out."""
        return self.model_dump(mode="json", exclude_none=True)


class Grown(Value):
    """A value that has got keys since the first of its kind were recorded.

    What is *later* is written only where it says something, so that the digest of a spec
    from before holds for as long as the spec stays as it is.
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
    """The distribution of *suite*; what nobody here has heard of is Debian's."""
    return Distribution.UBUNTU if suite in _UBUNTU else Distribution.DEBIAN
