"""Outputs of a bake beside the version in the image's own gallery."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from imagebake.spec.model.base import Value
from imagebake.spec.model.types import (
    HttpsAddress,
    ManagedImageId,
    OutputGalleryId,
    Region,
    RunOutputName,
    TagName,
    TagText,
)

Tags = Annotated[dict[TagName, TagText], Field(max_length=40)]
"""Azure tags by name."""


class Replication(enum.StrEnum):
    """Whether a version is replicated to its regions, or kept as the build's single disk."""

    FULL = "Full"
    SHALLOW = "Shallow"


class TargetRegion(Value):
    """A region that gets replicas; use three or more in production."""

    name: Region
    """The region's short name."""
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """The number of replicas there."""
    storage: Literal["Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS"] = (
        "Standard_LRS"
    )
    """The storage type of the replicas."""


class VersioningScheme(enum.StrEnum):
    """How Azure numbers a version that has no explicit number.

    `latest`: one more than the highest existing. `source`: the source image's version.
    """

    LATEST = "latest"
    SOURCE = "source"


class Versioning(Value):
    """How Azure numbers the version of an output."""

    scheme: Annotated[VersioningScheme, Field(strict=False)] = VersioningScheme.LATEST
    """`latest`: one more than the highest existing version; `source`: the source's version."""
    major: Annotated[int, Field(ge=0, le=2147483647)] | None = None
    """With `latest`: only versions with this major number are counted."""


class _Output(Value):
    name: RunOutputName
    """The name of the run output, under which Azure reports its result."""
    tags: Tags = Field(default_factory=dict)
    """Azure tags of the output."""


class GalleryOutput(_Output):
    """A version in another gallery, or of another definition."""

    gallery: OutputGalleryId
    """The id of the image definition; an id ending in `/versions/1.2.3` sets the number."""
    regions: Annotated[tuple[TargetRegion, ...], Field(min_length=1, max_length=100)]
    """The regions of its replicas; the definition's own region must be among them."""
    versioning: Versioning | None = None
    """How Azure numbers the version, where its id does not."""
    replication: Annotated[Replication, Field(strict=False)] = Replication.FULL
    """`Shallow` keeps a single copy without replicas: fast, and not for production."""
    hidden: bool = True
    """Whether the version is excluded from `latest` until an operator includes it."""

    @field_validator("regions")
    @classmethod
    def _regions_are_unique(cls, regions: tuple[TargetRegion, ...]) -> tuple[TargetRegion, ...]:
        named = [region.name for region in regions]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"the region {twice[0]!r} is named twice")
        return regions


class ManagedImageOutput(_Output):
    """A managed image, replaced by each bake."""

    managed_image: ManagedImageId
    """Its full resource id."""
    location: Region
    """Its region."""


class VhdTarget(Value):
    """The destination of a disk."""

    address: HttpsAddress | None = None
    """The blob to write; a storage account in the staging group when absent."""


class VhdOutput(_Output):
    """A disk as a file in a storage account."""

    vhd: VhdTarget
    """Its destination; `{}` for the staging group, whose files are deleted with the template."""


OUTPUT_KINDS = ("gallery", "managed_image", "vhd")
"""The key that says which kind of output a mapping is."""


def _kind(value: Any) -> str | None:  # noqa: ANN401 - what the text says, before it is checked
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    return next((kind for kind in OUTPUT_KINDS if kind in keys), None)


Output = Annotated[
    Annotated[GalleryOutput, Tag("gallery")]
    | Annotated[ManagedImageOutput, Tag("managed_image")]
    | Annotated[VhdOutput, Tag("vhd")],
    Discriminator(
        _kind,
        custom_error_type="output_kind",
        custom_error_message="an output has one of the keys 'gallery', 'managed_image' and 'vhd'",
    ),
]
"""An output of a bake beside the version in the image's own gallery."""
