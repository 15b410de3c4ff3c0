"""The source image of a bake, in each of its three kinds."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Discriminator, StringConstraints, Tag

from imagebake.kernel.text import constrained
from imagebake.kernel.text.constrained import described, quoted
from imagebake.kernel.text.versions import MARKETPLACE, InexactVersion, exact_marketplace_version
from imagebake.spec.model.base import Value
from imagebake.spec.model.types import ManagedImageId, Text

MarketplaceVersion = Annotated[
    str,
    StringConstraints(max_length=50),
    AfterValidator(exact_marketplace_version),
    described(MARKETPLACE, "an exact image version, such as '0.20260914.2237'", 50),
]
"""The exact version of a marketplace image."""


def _exact_version_id(text: str) -> str:
    if constrained.VERSION_ID.fullmatch(text):
        return text
    named = text.rpartition("/versions/")[0] or text
    if constrained.DEFINITION_ID.fullmatch(named):
        raise InexactVersion(
            f"{quoted(text.rpartition('/')[2])} names no exact version; end the id in"
            " /versions/MAJOR.MINOR.PATCH"
        )
    raise ValueError(f"{quoted(text)} is not {_VERSION_ID}")


_VERSION_ID = "the id of a gallery's image version: '/subscriptions/…/versions/1.2.3'"

ExactVersionId = Annotated[
    str,
    StringConstraints(max_length=500),
    AfterValidator(_exact_version_id),
    described(constrained.VERSION_ID, _VERSION_ID, 500),
]
"""The id of a gallery's image version, never `latest`."""


class PurchasePlan(Value):
    """The purchase plan of a marketplace image; its terms must have been accepted."""

    name: Text
    """The plan's name, often equal to the sku."""
    product: Text
    """The plan's product, often equal to the offer."""
    publisher: Text
    """The plan's publisher."""


class MarketplaceImage(Value):
    """An image of the marketplace; its version is exact, never `latest`."""

    publisher: Text
    """The image's publisher, such as `Debian`."""
    offer: Text
    """The publisher's product, such as `debian-12`."""
    sku: Text
    """The edition of the product, such as `12-gen2`."""
    version: MarketplaceVersion
    """The exact version: three numbers."""
    plan: PurchasePlan | None = None
    """The purchase plan, for an image that costs or has terms."""

    kind: ClassVar[str] = "marketplace image"

    @property
    def urn(self) -> str:
        """The image's URN, as `az` spells it."""
        return f"{self.publisher}:{self.offer}:{self.sku}:{self.version}"

    @property
    def named(self) -> tuple[str, str]:
        """The image, and its version."""
        return f"{self.publisher}:{self.offer}:{self.sku}", self.version


class ManagedImage(Value):
    """A managed image in the region of the template."""

    managed_image: ManagedImageId
    """Its full resource id; it has no versions, so its name must be unique."""

    kind: ClassVar[str] = "managed image"

    @property
    def urn(self) -> str:
        """The image's name in messages."""
        return self.managed_image

    @property
    def named(self) -> tuple[str, str]:
        """The image; it has no version."""
        return self.managed_image, ""


class GalleryVersionSource(Value):
    """An image version of a gallery, with a replica in the template's region."""

    gallery_version: ExactVersionId
    """Its full id, which ends in `/versions/` and three numbers, never `latest`."""

    kind: ClassVar[str] = "image version"

    @property
    def urn(self) -> str:
        """The image's name in messages."""
        return self.gallery_version

    @property
    def named(self) -> tuple[str, str]:
        """The id of the image definition, and the number of its version."""
        definition, _, number = self.gallery_version.rpartition("/versions/")
        return definition, number


SOURCE_KINDS = ("publisher", "managed_image", "gallery_version")
"""The key that says which kind of source a mapping is."""


def _kind(value: Any) -> str:  # noqa: ANN401 - what the text says, before it is checked
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    return next((kind for kind in reversed(SOURCE_KINDS) if kind in keys), SOURCE_KINDS[0])


SourceImage = Annotated[
    Annotated[MarketplaceImage, Tag("publisher")]
    | Annotated[ManagedImage, Tag("managed_image")]
    | Annotated[GalleryVersionSource, Tag("gallery_version")],
    Discriminator(_kind),
]
"""The image that Azure starts from."""
