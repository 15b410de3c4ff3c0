"""An image spec: what a person reviews, and the only place where a version is chosen."""

from __future__ import annotations

import enum
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from imagebake.spec.model.adoption import Adoption
from imagebake.spec.model.base import Distribution, Grown, Value, distribution_of
from imagebake.spec.model.delivery import GUEST_AGENT, Guard, WantedFile, obeys
from imagebake.spec.model.options import (
    Build,
    HeartbeatTerms,
    Objectives,
    ProofTerms,
    Schedule,
    Trigger,
    ValidationTerms,
)
from imagebake.spec.model.outputs import Output, Replication, TargetRegion
from imagebake.spec.model.pins import (
    STEWARDSHIP,
    AgentPin,
    ExtensionPin,
    FilePin,
    ModulePin,
    PackagePin,
    Pin,
)
from imagebake.spec.model.rings import Retirement, Ring, within
from imagebake.spec.model.source import SourceImage
from imagebake.spec.model.steps import Customizer, Validator
from imagebake.spec.model.types import (
    DebianPackage,
    DefinitionName,
    ImageName,
    MarketplaceName,
    Owner,
    SnapshotDate,
    Suite,
    TagName,
    TagText,
    Text,
)


class LocalBase(Value):
    """How this machine makes the same base: a suite and the packages the image has."""

    suite: Suite
    """The suite of Debian or Ubuntu: `bookworm`."""
    snapshot: SnapshotDate | None = None
    """The moment of the archive to lock from; needs an address in the setting `snapshot`."""
    packages: Annotated[tuple[DebianPackage, ...], Field(max_length=2000)] = ()
    """Packages that the marketplace image has beyond the essential ones."""

    @property
    def distribution(self) -> Distribution:
        """Whose suite it is."""
        return distribution_of(self.suite)


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


class GalleryImageIdentifier(Value):
    """Publisher, offer and sku of a gallery definition: one of a kind in its gallery."""

    publisher: MarketplaceName
    """Who publishes the image: your organisation."""
    offer: Annotated[MarketplaceName, StringConstraints(max_length=64)]
    """The product that the image belongs to."""
    sku: Annotated[MarketplaceName, StringConstraints(max_length=64)]
    """The edition of the product."""


class System(enum.StrEnum):
    """The operating system, in the gallery's spelling."""

    LINUX = "Linux"
    WINDOWS = "Windows"


class GalleryDefinition(Grown):
    """The image definition that versions go to; all of it is immutable once made."""

    later: ClassVar[frozenset[str]] = frozenset({"replication"})

    definition: DefinitionName
    """The image definition's name."""
    identifier: GalleryImageIdentifier
    """What the definition calls itself to people."""
    os: Annotated[System, Field(strict=False)] = System.LINUX
    """The operating system."""
    generation: Annotated[Generation, Field(strict=False)]
    """The virtual hardware: V1 boots by BIOS, V2 by UEFI."""
    security: Annotated[SecurityType, Field(strict=False)]
    """What machines may ask for; explicit, because Azure's own default has changed before."""
    architecture: Annotated[Architecture, Field(strict=False)]
    """The processor."""
    replication: Annotated[Replication, Field(strict=False)] = Replication.FULL
    """`Shallow` keeps one copy of a version and no replicas: quick, and not for production."""

    @property
    def is_windows(self) -> bool:
        """Whether steps are PowerShell, and what only Windows can do is understood."""
        return self.os is System.WINDOWS


class ImageSpec(Grown):
    """One image, after its includes have been merged."""

    later: ClassVar[frozenset[str]] = frozenset({"distribute", "guard", "trigger", "validation"})

    name: ImageName
    """The image's name; the spec's file is called the same."""
    description: Text
    """What the image is for, in one line."""
    owner: Owner
    """Who answers for the image."""
    source: SourceImage
    """The image that Azure starts from."""
    local: LocalBase | None = None
    """How the local builder makes the same base; without it the image bakes on Azure only."""
    gallery: GalleryDefinition
    """The image definition that versions go to."""
    pins: Annotated[tuple[Pin, ...], Field(min_length=1, max_length=500)]
    """What the image must contain, each at an exact version."""
    extensions: Annotated[tuple[ExtensionPin, ...], Field(max_length=100)] = ()
    """Extension handlers, each with the way its function is delivered."""
    guard: Guard = Guard()
    """Which extensions the guest agent lets run."""
    customizers: Annotated[tuple[Customizer, ...], Field(max_length=100)] = ()
    """Steps of the image's own, run after the pins are installed."""
    validators: Annotated[tuple[Validator, ...], Field(max_length=100)] = ()
    """Checks of the image's own, run on a machine made from it."""
    validation: ValidationTerms = ValidationTerms()
    """When Azure validates, and what becomes of an image that fails."""
    regions: Annotated[tuple[TargetRegion, ...], Field(min_length=1, max_length=100)]
    """Where versions are replicated to."""
    distribute: Annotated[tuple[Output, ...], Field(max_length=20)] = ()
    """What else a bake makes of the image: versions elsewhere, managed images, disks."""
    build: Build = Build()
    """The machine that Azure builds on."""
    adoption: Adoption = Adoption()
    """When newer versions of the pins may be adopted."""
    proof: ProofTerms = ProofTerms()
    """What the offline proof asks of the image."""
    heartbeat: HeartbeatTerms = HeartbeatTerms()
    """What a heartbeat asks of a machine that was just made from the image."""
    objectives: Objectives = Objectives()
    """What machines made from the image must achieve in an incident."""
    tags: Annotated[dict[TagName, TagText], Field(default_factory=dict, max_length=40)]
    """Azure tags of every version; imagebake adds its own."""
    schedule: Schedule | None = None
    """When the scheduled workflow bakes; without it the image is baked by hand."""
    trigger: Trigger | None = None
    """What Azure tries by itself whenever the source has a newer version."""
    rings: Annotated[tuple[Ring, ...], Field(max_length=20)] = ()
    """How versions reach machines, first to last; without any, all at once as ring `broad`."""
    retirement: Retirement = Retirement()
    """When versions may go."""

    @field_validator("rings")
    @classmethod
    def _rings_are_where_versions_are(
        cls, rings: tuple[Ring, ...], info: ValidationInfo
    ) -> tuple[Ring, ...]:
        return within(rings, {region.name for region in info.data.get("regions", ())})

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for what, named in (
            ("pin", [pin.name for pin in self.pins]),
            ("extension", [extension.handler for extension in self.extensions]),
            ("customizer", [step.name for step in self.customizers]),
            ("validator", [step.name for step in self.validators]),
            ("region", [region.name for region in self.regions]),
            ("ring", [ring.name for ring in self.rings]),
            ("output", [output.name for output in self.distribute]),
        ):
            twice = sorted({name for name in named if named.count(name) > 1})
            if twice:
                raise ValueError(f"the {what} {twice[0]!r} is named twice")
        return self

    @property
    def rollout_rings(self) -> tuple[Ring, ...]:
        """The rings with their regions, every region of the image where a ring names none."""
        everywhere = tuple(region.name for region in self.regions)
        rings = self.rings or (Ring(name="broad", soak_hours=0),)
        return tuple(
            ring if ring.regions else ring.model_copy(update={"regions": everywhere})
            for ring in rings
        )

    @property
    def distribution(self) -> Distribution:
        """The distribution that the local base is made from; Debian where there is none."""
        return self.local.distribution if self.local else Distribution.DEBIAN

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

    @property
    def modules(self) -> tuple[ModulePin, ...]:
        """The pinned modules of PowerShell, in the spec's order."""
        return tuple(pin for pin in self.pins if isinstance(pin, ModulePin))

    @property
    def wanted_files(self) -> tuple[WantedFile, ...]:
        """Every file to lock: the pinned ones, then what agents and extensions bring along."""
        brought = (
            *(pin.wanted_file for pin in self.agents),
            *(pin.wanted_file for pin in self.extensions),
        )
        pinned = (pin.wanted_file for pin in self.files)
        return (*pinned, *(file for file in brought if file))

    @property
    def cached(self) -> tuple[ExtensionPin, ...]:
        """The extensions that the image serves to its own agent."""
        return tuple(pin for pin in self.extensions if pin.package)

    @property
    def allowed(self) -> tuple[str, ...] | None:
        """The extensions that the image's agent lets run; None where it lets run any."""
        newest = [pin.newest for pin in self.agents if pin.agent == GUEST_AGENT]
        if not self.guard.allow_list or not any(map(obeys, newest)):
            return None
        return tuple(sorted({pin.handler for pin in self.cached} | set(self.guard.also)))

    def lock_inputs(self) -> dict[str, Any]:
        """What a lock is resolved from; a change of anything else leaves the lock fresh."""
        return {
            "name": self.name,
            "source": self.source.to_json(),
            "local": self.local.to_json() if self.local else None,
            "architecture": self.gallery.architecture.value,
            "pins": [
                pin.model_dump(mode="json", exclude=set(STEWARDSHIP), exclude_none=True)
                for pin in self.pins
            ],
            "extensions": [
                pin.model_dump(mode="json", exclude=set(STEWARDSHIP), exclude_none=True)
                for pin in self.extensions
            ],
        }
