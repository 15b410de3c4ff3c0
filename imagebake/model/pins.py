"""Pins: what an image must contain, at which exact version, and who answers for it."""

from __future__ import annotations

import enum
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag

from imagebake.model import names
from imagebake.model.spelling import described
from imagebake.model.texts import (
    AgentName,
    Day,
    DebianPackage,
    ExtensionName,
    FileMode,
    HttpsAddress,
    Owner,
    PlainPath,
    Sha256,
    Text,
)
from imagebake.model.values import Value
from imagebake.model.versions import DEBIAN, HANDLER, HandlerVersion, exact_debian_version


def _exact_handler_version(text: str) -> str:
    return HandlerVersion(text).text


DebianVersionText = Annotated[
    str,
    StringConstraints(max_length=100),
    AfterValidator(exact_debian_version),
    described(DEBIAN, "an exact Debian version, such as '1:2.39.5-0+deb12u3'", 100),
]
"""The exact version of a Debian package."""

HandlerVersionText = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_exact_handler_version),
    described(HANDLER, "a full handler version, such as '1.10.0.2'", 40),
]
"""The full version of an extension handler."""


class Stewardship(Value):
    """Who answers for a pin, why it is where it is, and when to look again."""

    owner: Owner | None = None
    """Who answers for this pin; the spec's owner when absent."""
    reason: Text | None = None
    """Why this version, where that is not obvious."""
    review_by: Day | None = None
    """The day by which somebody looks at this pin again."""


class AgentPin(Stewardship):
    """A component of the catalogue at an exact version."""

    agent: AgentName
    """The component's name in the catalogue, such as `azure-linux-agent`."""
    version: DebianVersionText
    """The exact version of its Debian package."""

    @property
    def name(self) -> str:
        """What the pin is called in messages and in the lock."""
        return self.agent


class PackagePin(Stewardship):
    """A Debian package at an exact version."""

    package: DebianPackage
    """The binary package's name."""
    version: DebianVersionText
    """Its exact version, as `apt-cache policy` spells it."""

    @property
    def name(self) -> str:
        """What the pin is called in messages and in the lock."""
        return self.package


class FilePin(Stewardship):
    """A file by address and digest."""

    file: HttpsAddress
    """Where it is fetched from, over https; its last part names the pin."""
    version: Text
    """What the publisher calls this version."""
    sha256: Sha256
    """The digest of its content."""
    destination: PlainPath
    """Where it is in the image."""
    mode: FileMode = "0644"
    """Its permissions, in octal."""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.file.rsplit("/", 1)[-1]


KINDS = ("agent", "package", "file")
"""The key that says which kind of pin it is."""


def _pin_kind(value: Any) -> str | None:  # noqa: ANN401 - what the text says, before it is checked
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    return next((kind for kind in KINDS if kind in keys), None)


Pin = Annotated[
    Annotated[AgentPin, Tag("agent")]
    | Annotated[PackagePin, Tag("package")]
    | Annotated[FilePin, Tag("file")],
    Discriminator(
        _pin_kind,
        custom_error_type="pin_kind",
        custom_error_message="a pin has one of the keys 'agent', 'package' and 'file'",
    ),
]


class DeliveryMode(enum.StrEnum):
    """How the function of an extension reaches a machine.

    `native`: as a package or service in the image. `cached`: the official zip, served by
    the image itself. `absent`: not in the image, and not asked for at creation.
    """

    NATIVE = "native"
    CACHED = "cached"
    ABSENT = "absent"


class ExtensionPin(Stewardship):
    """An extension handler at its full version, with the way it is delivered."""

    publisher: ExtensionName
    """The handler's publisher, such as `Microsoft.Azure.Monitor`."""
    type: ExtensionName
    """The handler's type, such as `AzureMonitorLinuxAgent`."""
    version: HandlerVersionText
    """Its full version: three or four numbers."""
    mode: Annotated[DeliveryMode, Field(strict=False)]
    """`native`, `cached` or `absent`."""

    @property
    def handler(self) -> str:
        """The agent's name for it."""
        return names.handler_name(self.publisher, self.type)
