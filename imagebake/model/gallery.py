"""Image versions as a gallery shows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from imagebake.model.versions import ImageVersion

TAG_BAKE_KEY = "imagebake-bake-key"
TAG_LOCK = "imagebake-lock"
TAG_SPEC = "imagebake-spec"
TAG_COMMIT = "imagebake-commit"
TAG_CONTENT = "imagebake-content"


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryVersion:
    """One version of one definition.

    *published* is None while the service has not said; *state* is the provisioning state;
    *regions* maps a region to the state of its replication.
    """

    id: str
    definition: str
    version: ImageVersion
    state: str
    published: dt.datetime | None
    hidden: bool
    tags: Mapping[str, str]
    regions: Mapping[str, str]

    @property
    def healthy(self) -> bool:
        """Whether the version can be used: provisioned, and no region has failed."""
        return self.state == "Succeeded" and "Failed" not in self.regions.values()

    @property
    def bake_key(self) -> str | None:
        """The key of the bake that made it; None when we did not."""
        return self.tags.get(TAG_BAKE_KEY)
