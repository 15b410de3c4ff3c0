"""The base of every value that comes from a text: frozen, strict, no unknown keys."""

from __future__ import annotations

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
