"""What a bake makes beside the version in the image's own gallery."""

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
    """Whether a version is copied to its regions, or is the one build's disk itself."""

    FULL = "Full"
    SHALLOW = "Shallow"


class TargetRegion(Value):
    """A region that gets replicas; three or more are advised for production."""

    name: Region
    """The region's short name."""
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """How many copies are kept there."""
    storage: Literal["Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS"] = (
        "Standard_LRS"
    )
    """The storage that the copies are kept in."""


class VersioningScheme(enum.StrEnum):
    """How Azure numbers a version that nobody has numbered.

    `latest`: one more than the highest there is. `source`: as the source image's version.
    """

    LATEST = "latest"
    SOURCE = "source"


class Versioning(Value):
    """How Azure numbers the version of an output."""

    scheme: Annotated[VersioningScheme, Field(strict=False)] = VersioningScheme.LATEST
    """`latest`: one more than the highest there is; `source`: from the source's version."""
    major: Annotated[int, Field(ge=0, le=2147483647)] | None = None
    """With `latest`: only versions with this first number are counted."""


class _Output(Value):
    name: RunOutputName
    """What the run output is called, under which Azure says what came of it."""
    tags: Tags = Field(default_factory=dict)
    """Azure tags of the output."""


class GalleryOutput(_Output):
    """A version in another gallery, or of another definition."""

    gallery: OutputGalleryId
    """The id of the image definition; ending in `/versions/1.2.3` it numbers the version."""
    regions: Annotated[tuple[TargetRegion, ...], Field(min_length=1, max_length=100)]
    """Where the version is replicated to; the definition's own region is among them."""
    versioning: Versioning | None = None
    """How Azure numbers the version, where its id does not."""
    replication: Annotated[Replication, Field(strict=False)] = Replication.FULL
    """`Shallow` keeps one copy and no replicas: quick, and not for production."""
    hidden: bool = True
    """Whether the version stays out of `latest`, until somebody lets it in."""

    @field_validator("regions")
    @classmethod
    def _regions_are_unique(cls, regions: tuple[TargetRegion, ...]) -> tuple[TargetRegion, ...]:
        named = [region.name for region in regions]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"the region {twice[0]!r} is named twice")
        return regions


class ManagedImageOutput(_Output):
    """A managed image, which is made anew by each bake."""

    managed_image: ManagedImageId
    """Its whole id."""
    location: Region
    """The region to put it in."""


class VhdTarget(Value):
    """Where a disk goes."""

    address: HttpsAddress | None = None
    """The blob to write; Azure's own storage account in the staging group when absent."""


class VhdOutput(_Output):
    """A disk as a file in a storage account."""

    vhd: VhdTarget
    """Where it goes; `{}` for the staging group, whose files go when the template does."""


OUTPUT_KINDS = ("gallery", "managed_image", "vhd")
"""The key that says which kind of output it is."""


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
"""What a bake makes beside the version in the image's own gallery."""
