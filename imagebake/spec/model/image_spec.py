"""The image spec: the reviewed file, and the only place that chooses versions."""

from __future__ import annotations

import enum
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from imagebake.spec.model.adoption import Adoption
from imagebake.spec.model.base import Distribution, Grown, Value, distribution_of
from imagebake.spec.model.delivery import (
    GUEST_AGENT,
    ExtensionAllowList,
    WantedFile,
    enforces_policy,
)
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
from imagebake.spec.model.rings import Retirement, Ring, require_known_regions
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
    """How the local builder makes the same base image: a suite and its packages."""

    suite: Suite
    """The suite of Debian or Ubuntu: `bookworm`."""
    snapshot: SnapshotDate | None = None
    """The archive snapshot to lock from; needs an address in the setting `snapshot`."""
    packages: Annotated[tuple[DebianPackage, ...], Field(max_length=2000)] = ()
    """Packages of the marketplace image beyond the essential ones."""

    @property
    def distribution(self) -> Distribution:
        """The distribution of the suite."""
        return distribution_of(self.suite)


class Generation(enum.StrEnum):
    """The virtual hardware: V1 boots by BIOS, V2 by UEFI."""

    V1 = "V1"
    V2 = "V2"


class SecurityType(enum.StrEnum):
    """The definition's security type; GalleryRP sets a default of its own if absent."""

    STANDARD = "Standard"
    TRUSTED_LAUNCH_SUPPORTED = "TrustedLaunchSupported"
    TRUSTED_LAUNCH_AND_CONFIDENTIAL_SUPPORTED = "TrustedLaunchAndConfidentialVmSupported"
    CONFIDENTIAL_SUPPORTED = "ConfidentialVmSupported"


class Architecture(enum.StrEnum):
    """The processor architecture, in the gallery's spelling."""

    X64 = "x64"
    ARM64 = "Arm64"

    @property
    def debian(self) -> str:
        """The same architecture in Debian's spelling."""
        return {"x64": "amd64", "Arm64": "arm64"}[self.value]


class GalleryImageIdentifier(Value):
    """Publisher, offer and sku of a gallery definition; unique in its gallery."""

    publisher: MarketplaceName
    """The publisher of the image: your organisation."""
    offer: Annotated[MarketplaceName, StringConstraints(max_length=64)]
    """The product that the image belongs to."""
    sku: Annotated[MarketplaceName, StringConstraints(max_length=64)]
    """The edition of the product."""


class System(enum.StrEnum):
    """The operating system, in the gallery's spelling."""

    LINUX = "Linux"
    WINDOWS = "Windows"


class GalleryDefinition(Grown):
    """The image definition of the versions; immutable once created."""

    later: ClassVar[frozenset[str]] = frozenset({"replication"})

    definition: DefinitionName
    """The image definition's name."""
    identifier: GalleryImageIdentifier
    """The definition's publisher, offer and sku."""
    os: Annotated[System, Field(strict=False)] = System.LINUX
    """The operating system."""
    generation: Annotated[Generation, Field(strict=False)]
    """The virtual hardware: V1 boots by BIOS, V2 by UEFI."""
    security: Annotated[SecurityType, Field(strict=False)]
    """The security type; required, because Azure's own default has changed before."""
    architecture: Annotated[Architecture, Field(strict=False)]
    """The processor architecture."""
    replication: Annotated[Replication, Field(strict=False)] = Replication.FULL
    """`Shallow` keeps a single copy without replicas: fast, and not for production."""

    @property
    def is_windows(self) -> bool:
        """Whether steps are PowerShell and Windows-only customizers are allowed."""
        return self.os is System.WINDOWS


class ImageSpec(Grown):
    """One image, after its includes have been merged."""

    later: ClassVar[frozenset[str]] = frozenset({"distribute", "guard", "trigger", "validation"})

    name: ImageName
    """The image's name; the spec's file has the same name."""
    description: Text
    """The purpose of the image, in one line."""
    owner: Owner
    """The team or person responsible for the image."""
    source: SourceImage
    """The image that Azure starts from."""
    local: LocalBase | None = None
    """How the local builder makes the same base; without it the image bakes on Azure only."""
    gallery: GalleryDefinition
    """The image definition that versions are published to."""
    pins: Annotated[tuple[Pin, ...], Field(min_length=1, max_length=500)]
    """The components that the image must contain, each at an exact version."""
    extensions: Annotated[tuple[ExtensionPin, ...], Field(max_length=100)] = ()
    """Extension handlers, each with its delivery mode."""
    guard: ExtensionAllowList = ExtensionAllowList()
    """Extensions that the guest agent allows to run."""
    customizers: Annotated[tuple[Customizer, ...], Field(max_length=100)] = ()
    """Customizers of the image's own, run after the pins are installed."""
    validators: Annotated[tuple[Validator, ...], Field(max_length=100)] = ()
    """Validators of the image's own, run on a machine made from it."""
    validation: ValidationTerms = ValidationTerms()
    """When Azure validates, and what happens to an image that fails."""
    regions: Annotated[tuple[TargetRegion, ...], Field(min_length=1, max_length=100)]
    """The regions that versions are replicated to."""
    distribute: Annotated[tuple[Output, ...], Field(max_length=20)] = ()
    """Further outputs of a bake: versions elsewhere, managed images, disks."""
    build: Build = Build()
    """The build machine on Azure, and its limits."""
    adoption: Adoption = Adoption()
    """When newer versions of the pins may be adopted."""
    proof: ProofTerms = ProofTerms()
    """Requirements of the offline proof."""
    heartbeat: HeartbeatTerms = HeartbeatTerms()
    """The check of a machine that was just created from the image."""
    objectives: Objectives = Objectives()
    """Service levels of machines made from the image during an incident."""
    tags: Annotated[dict[TagName, TagText], Field(default_factory=dict, max_length=40)]
    """Azure tags of every version; imagebake adds its own."""
    schedule: Schedule | None = None
    """When the scheduled workflow bakes; without it the image is baked by hand."""
    trigger: Trigger | None = None
    """The template that Azure runs by itself whenever the source has a newer version."""
    rings: Annotated[tuple[Ring, ...], Field(max_length=20)] = ()
    """The rings of a rollout, first to last; without any, a single ring `broad`."""
    retirement: Retirement = Retirement()
    """When versions may be hidden and deleted."""

    @field_validator("rings")
    @classmethod
    def _rings_are_where_versions_are(
        cls, rings: tuple[Ring, ...], info: ValidationInfo
    ) -> tuple[Ring, ...]:
        return require_known_regions(
            rings, {region.name for region in info.data.get("regions", ())}
        )

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
        """The rings with their regions; a ring that names none covers every region of the image."""
        everywhere = tuple(region.name for region in self.regions)
        rings = self.rings or (Ring(name="broad", soak_hours=0),)
        return tuple(
            ring if ring.regions else ring.model_copy(update={"regions": everywhere})
            for ring in rings
        )

    @property
    def distribution(self) -> Distribution:
        """The distribution of the local base; Debian where there is none."""
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
        """The pinned PowerShell modules, in the spec's order."""
        return tuple(pin for pin in self.pins if isinstance(pin, ModulePin))

    @property
    def wanted_files(self) -> tuple[WantedFile, ...]:
        """Every file to lock: the pinned ones, then those of agents and extensions."""
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
        """The extensions that the image's agent allows to run; None when it allows all."""
        newest = [pin.newest for pin in self.agents if pin.agent == GUEST_AGENT]
        if not self.guard.allow_list or not any(map(enforces_policy, newest)):
            return None
        return tuple(sorted({pin.handler for pin in self.cached} | set(self.guard.also)))

    def lock_inputs(self) -> dict[str, Any]:
        """Return what a lock is resolved from; other changes leave the lock fresh."""
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
