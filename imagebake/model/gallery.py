"""Image versions as a gallery shows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.model.versions import ImageVersion

TAG_BAKE_KEY = "imagebake-bake-key"
TAG_LOCK = "imagebake-lock"
TAG_SPEC = "imagebake-spec"
TAG_COMMIT = "imagebake-commit"
TAG_EMERGENCY = "imagebake-emergency"
"""Why the version was baked although a review of its pins was late."""
TAG_PROOF = "imagebake-proof"
"""`passed` or `failed`, and the digest of the record that says why."""


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

    def to_json(self) -> dict[str, Any]:
        """The version for programs."""
        return {
            "id": self.id,
            "definition": self.definition,
            "version": str(self.version),
            "state": self.state,
            "published": self.published.isoformat() if self.published else None,
            "hidden": self.hidden,
            "healthy": self.healthy,
            "tags": dict(self.tags),
            "regions": dict(self.regions),
        }


def next_version(now: dt.datetime, taken: Iterable[ImageVersion]) -> ImageVersion:
    """The version for a bake at *now* (UTC): the day, and a number above all *taken* that day.

    Failed versions are taken as well: a version's number is never used twice.
    """
    major, minor = now.year, now.month * 100 + now.day
    today = [version.patch for version in taken if (version.major, version.minor) == (major, minor)]
    return ImageVersion(major, minor, max(today, default=-1) + 1)


def latest(versions: Iterable[GalleryVersion]) -> GalleryVersion | None:
    """What a machine that asks for `latest` gets: the highest healthy one that is shown."""
    shown = [version for version in versions if version.healthy and not version.hidden]
    return max(shown, key=lambda version: version.version, default=None)
