"""An image spec: what a person reviews, and the only place where a version is chosen."""

from __future__ import annotations

import datetime as dt
import enum
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from imagebake.model import names
from imagebake.model.values import Value
from imagebake.model.versions import DebianVersion, HandlerVersion

_MARKETPLACE_VERSION = re.compile(r"\d+\.\d+\.\d+")


def _exact_debian_version(text: str) -> str:
    return DebianVersion(text).text


def _exact_handler_version(text: str) -> str:
    return HandlerVersion(text).text


def _exact_marketplace_version(text: str) -> str:
    if not _MARKETPLACE_VERSION.fullmatch(text):
        raise ValueError(f"{text!r} is not an exact image version, such as '0.20260914.2237'")
    return text


def _date(value: Any) -> Any:  # noqa: ANN401 - what the text says, before it is checked
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Owner = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9@/_.+ -]{1,100}$")]
Region = Annotated[str, StringConstraints(pattern=f"^{names.REGION.pattern}$")]
Sha256 = Annotated[str, StringConstraints(pattern=f"^{names.SHA256.pattern}$")]
Day = Annotated[dt.date, BeforeValidator(_date)]
TagName = Annotated[str, StringConstraints(pattern=r"^[^<>%&\\?/\x00-\x1f]{1,512}$")]
TagText = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f]*$")]
StepName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""Names of customizers and validators: AIB shows them in its log."""
CommandLine = Annotated[str, StringConstraints(max_length=8192, pattern=r"^[^\x00\r\n]*$")]
PlainPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9_.+@/-]{1,255}$")]


class SourceImage(Value):
    """The marketplace image that Azure starts from; its version is exact, never `latest`."""

    publisher: Text
    offer: Text
    sku: Text
    version: Annotated[str, StringConstraints(max_length=50), BeforeValidator(_exact_marketplace_version)]

    @property
    def urn(self) -> str:
        """The image as `az` spells it."""
        return f"{self.publisher}:{self.offer}:{self.sku}:{self.version}"


class LocalBase(Value):
    """How this machine makes the same base: a Debian suite and the packages the image has."""

    suite: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9.-]{1,40}$")]
    packages: tuple[Annotated[str, StringConstraints(pattern=f"^{names.DEBIAN_PACKAGE.pattern}$")], ...] = ()


class Generation(enum.StrEnum):
    """The virtual hardware: V1 boots by BIOS, V2 by UEFI."""

    V1 = "V1"
    V2 = "V2"


class SecurityType(enum.StrEnum):
    """What the definition lets machines ask for; GalleryRP adds one of its own if absent."""

    STANDARD = "Standard"
    TRUSTED_LAUNCH_SUPPORTED = "TrustedLaunchSupported"
    TRUSTED_LAUNCH_AND_CONFIDENTIAL_SUPPORTED = "TrustedLaunchAndConfidentialVmSupported"
    CONFIDENTIAL_SUPPORTED = "ConfidentialVmSupported"


class Architecture(enum.StrEnum):
    """The processor, in the gallery's spelling."""

    X64 = "x64"
    ARM64 = "Arm64"

    @property
    def debian(self) -> str:
        """The same processor in Debian's spelling."""
        return {"x64": "amd64", "Arm64": "arm64"}[self.value]


class Identifier(Value):
    """Publisher, offer and sku of a gallery definition: one of a kind in its gallery."""

    publisher: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{0,127}[A-Za-z0-9_-]$")]
    offer: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{0,63}[A-Za-z0-9_-]$")]
    sku: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{0,63}[A-Za-z0-9_-]$")]


class GalleryDefinition(Value):
    """The image definition that versions go to; all of it is immutable once made."""

    definition: Annotated[str, StringConstraints(pattern=f"^{names.DEFINITION.pattern}$")]
    identifier: Identifier
    os: Literal["Linux"] = "Linux"
    generation: Annotated[Generation, Field(strict=False)]
    security: Annotated[SecurityType, Field(strict=False)]
    architecture: Annotated[Architecture, Field(strict=False)]


class Stewardship(Value):
    """Who answers for a pin, why it is where it is, and when to look again."""

    owner: Owner | None = None
    reason: Text | None = None
    review_by: Day | None = None


DebianVersionText = Annotated[str, StringConstraints(max_length=100), BeforeValidator(_exact_debian_version)]


class AgentPin(Stewardship):
    """A component of the catalogue at an exact version."""

    agent: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=63)]
    version: DebianVersionText

    @property
    def name(self) -> str:
        """What the pin is called in messages and in the lock."""
        return self.agent


class PackagePin(Stewardship):
    """A Debian package at an exact version."""

    package: Annotated[str, StringConstraints(pattern=f"^{names.DEBIAN_PACKAGE.pattern}$", max_length=100)]
    version: DebianVersionText

    @property
    def name(self) -> str:
        """What the pin is called in messages and in the lock."""
        return self.package


class FilePin(Stewardship):
    """A file by address and digest, put at *destination* with *mode* (octal text)."""

    file: Annotated[str, StringConstraints(pattern=r"^https://[^\s?#@]+$", max_length=1000)]
    version: Text
    sha256: Sha256
    destination: PlainPath
    mode: Annotated[str, StringConstraints(pattern=r"^0[0-7]{3}$")] = "0644"

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.file.rsplit("/", 1)[-1]


def _pin_kind(value: Any) -> str | None:  # noqa: ANN401 - what the text says, before it is checked
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    return next((kind for kind in ("agent", "package", "file") if kind in keys), None)


Pin = Annotated[
    Annotated[AgentPin, Tag("agent")]
    | Annotated[PackagePin, Tag("package")]
    | Annotated[FilePin, Tag("file")],
    Discriminator(
        _pin_kind,
        custom_error_type="pin_kind",
        custom_error_message="a pin starts with 'agent', 'package' or 'file'",
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

    publisher: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.]{1,100}$")]
    type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.]{1,100}$")]
    version: Annotated[str, StringConstraints(max_length=40), BeforeValidator(_exact_handler_version)]
    mode: Annotated[DeliveryMode, Field(strict=False)]

    @property
    def handler(self) -> str:
        """The agent's name for it."""
        return names.handler_name(self.publisher, self.type)


class Network(enum.StrEnum):
    """Whether a step may talk to anything but the mirror."""

    UNPLUGGED = "unplugged"
    REQUIRED = "required"


class Customizer(Value):
    """A shell step of the spec's own; a non-zero exit of any line fails the bake."""

    name: StepName
    inline: Annotated[tuple[CommandLine, ...], Field(min_length=1, strict=False)]
    network: Annotated[Network, Field(strict=False)] = Network.UNPLUGGED
    reason: Text | None = None


class Validator(Value):
    """A check that runs on a machine made from the image; a non-zero exit fails the bake."""

    name: StepName
    inline: Annotated[tuple[CommandLine, ...], Field(min_length=1, strict=False)]


class TargetRegion(Value):
    """A region that gets replicas; three or more are advised for production."""

    name: Region
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    storage: Literal["Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS"] = "Standard_LRS"


class Build(Value):
    """The machine that Azure builds on, and how long it may take (minutes)."""

    timeout_minutes: Annotated[int, Field(ge=6, le=960)] = 120
    vm_size: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,60}$")] = "Standard_D2ds_v5"
    os_disk_gb: Annotated[int, Field(ge=1, le=2048)] = 30


class Schedule(Value):
    """When the scheduled workflow bakes: five cron fields in *timezone*."""

    cron: Annotated[str, StringConstraints(pattern=r"^[0-9*,/-]+( [0-9A-Za-z*,/-]+){4}$")]
    timezone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,60}$")] = "Etc/UTC"


class ImageSpec(Value):
    """One image, after its includes have been merged."""

    name: Annotated[str, StringConstraints(pattern=f"^{names.IMAGE.pattern}$")]
    description: Text
    owner: Owner
    source: SourceImage
    local: LocalBase | None = None
    gallery: GalleryDefinition
    pins: Annotated[tuple[Pin, ...], Field(min_length=1, max_length=500)]
    extensions: tuple[ExtensionPin, ...] = ()
    customizers: tuple[Customizer, ...] = ()
    validators: tuple[Validator, ...] = ()
    regions: Annotated[tuple[TargetRegion, ...], Field(min_length=1)]
    build: Build = Build()
    tags: dict[TagName, TagText] = {}
    schedule: Schedule | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for what, named in (
            ("pin", [pin.name for pin in self.pins]),
            ("extension", [extension.handler for extension in self.extensions]),
            ("customizer", [step.name for step in self.customizers]),
            ("validator", [step.name for step in self.validators]),
            ("region", [region.name for region in self.regions]),
        ):
            twice = sorted({name for name in named if named.count(name) > 1})
            if twice:
                raise ValueError(f"the {what} {twice[0]!r} is named twice")
        return self

    @property
    def agents(self) -> tuple[AgentPin, ...]:
        """The pinned components of the catalogue, in the spec's order."""
        return tuple(pin for pin in self.pins if isinstance(pin, AgentPin))

    @property
    def packages(self) -> tuple[PackagePin, ...]:
        """The pinned plain packages, in the spec's order."""
        return tuple(pin for pin in self.pins if isinstance(pin, PackagePin))

    @property
    def files(self) -> tuple[FilePin, ...]:
        """The pinned files, in the spec's order."""
        return tuple(pin for pin in self.pins if isinstance(pin, FilePin))

    def lock_inputs(self) -> dict[str, Any]:
        """What a lock is resolved from; a change of anything else leaves the lock fresh."""
        stewardship = {"owner", "reason", "review_by"}
        return {
            "name": self.name,
            "source": self.source.to_json(),
            "local": self.local.to_json() if self.local else None,
            "architecture": self.gallery.architecture.value,
            "pins": [
                pin.model_dump(mode="json", exclude=stewardship, exclude_none=True)
                for pin in self.pins
            ],
            "extensions": [
                pin.model_dump(mode="json", exclude=stewardship, exclude_none=True)
                for pin in self.extensions
            ],
        }
