"""Constrained texts, such as names: their patterns, and sentences for what breaks them."""

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


IMAGE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""An image's name: lower case, digits and dashes, at most 63 characters."""

GALLERY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.]{0,78}[A-Za-z0-9])?")
"""A gallery's name: no dashes (Azure, *Manage galleries*)."""

DEFINITION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?")
"""An image definition's name: as a gallery's, and dashes."""

TEMPLATE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""The name of an image template, a trigger or a run output."""

REGION = re.compile(r"[a-z][a-z0-9]{2,40}")
"""A region's short name: `westeurope`."""

DEBIAN_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
"""A binary package's name (Debian Policy 5.6.7)."""

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?"
_GROUP = (
    r"/subscriptions/[0-9a-fA-F-]{36}/resource[gG]roups/"
    r"[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]"
)
_PROVIDER = _GROUP + "/providers/"
_IN_GALLERY = _PROVIDER + rf"Microsoft\.Compute/galleries/{GALLERY.pattern}/images/"
THREE_NUMBERS = r"(?:0|[1-9][0-9]{0,9})(?:\.(?:0|[1-9][0-9]{0,9})){2}"
"""The version of an image in a gallery."""

RESOURCE_GROUP_ID = re.compile(_GROUP)
"""The full id of a resource group."""

DEFINITION_ID = re.compile(_IN_GALLERY + DEFINITION.pattern)
"""The full id of an image definition."""

VERSION_ID = re.compile(rf"{_IN_GALLERY}{DEFINITION.pattern}/versions/{THREE_NUMBERS}")
"""The full id of an image version."""

MANAGED_IMAGE_ID = re.compile(_PROVIDER + rf"Microsoft\.Compute/images/{_PART}")
"""The full id of a managed image."""

IDENTITY_ID = re.compile(_PROVIDER + rf"Microsoft\.ManagedIdentity/userAssignedIdentities/{_PART}")
"""The full id of a user-assigned identity."""

SUBNET_ID = re.compile(_PROVIDER + rf"Microsoft\.Network/virtualNetworks/{_PART}/subnets/{_PART}")
"""The full id of a subnet."""

SHA256 = re.compile(r"[0-9a-f]{64}")
"""A SHA-256 digest in lower-case hex, as Azure Image Builder requires."""


def handler_name(publisher: str, extension_type: str) -> str:
    """Return the agent's name of an extension handler."""
    return f"{publisher}.{extension_type}"
