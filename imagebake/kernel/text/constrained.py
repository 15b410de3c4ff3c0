"""Constrained texts whose errors are sentences instead of patterns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

_SHOWN = 60
_QUERY_VALUE = re.compile(r"(?<=[?&])([A-Za-z_-]{1,30}=)([^&\s'\"#]+)")


def quoted(text: str) -> str:
    """Return *text* for a message: quoted, without control characters, shortened."""
    text = redacted(text)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def redacted(text: str) -> str:
    """Return *text* with stars for query values of URLs, which may be signatures."""
    return _QUERY_VALUE.sub(lambda match: match[1] + "*" * len(match[2]), text)


@dataclass(frozen=True, slots=True)
class Spelled:
    """A constraint: *pattern* must match the whole text; *words* completes "'x' is not …"."""

    pattern: re.Pattern[str]
    words: str

    def check(self, text: str) -> str:
        """Return *text*; raises `ValueError` where *pattern* does not match."""
        if not self.pattern.fullmatch(text):
            raise ValueError(f"{quoted(text)} is not {self.words}")
        return text

    def __get_pydantic_core_schema__(
        self,
        source: Any,  # noqa: ANN401 - pydantic's protocol
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {
            "pattern": f"^(?:{self.pattern.pattern})$",
            "patternErrorMessage": f"must be {self.words}",
        }


def spelled(pattern: re.Pattern[str] | str, words: str) -> Spelled:
    """Return a `Spelled` whose pattern is compiled on first use."""
    return Spelled(re.compile(pattern), words)


def described(pattern: re.Pattern[str], words: str, longest: int) -> WithJsonSchema:
    """Return the JSON Schema of a text that its own validator checks."""
    return WithJsonSchema(
        {
            "type": "string",
            "maxLength": longest,
            "pattern": f"^(?:{pattern.pattern})$",
            "patternErrorMessage": f"must be {words}",
        }
    )
