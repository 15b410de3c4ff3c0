"""Image versions as a gallery shows them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.kernel.text.versions import ImageVersion

TAG_BAKE_KEY = "imagebake-bake-key"
TAG_LOCK = "imagebake-lock"
TAG_SPEC = "imagebake-spec"
TAG_COMMIT = "imagebake-commit"
TAG_EMERGENCY = "imagebake-emergency"
"""Why the version was baked although a review of its pins was late."""
TAG_PROOF = "imagebake-proof"
"""`passed` or `failed`, and the digest of the record that says why."""
TAG_FROM = "imagebake-from"
"""The id of the version that this one was baked from."""
TAG_EXTENSIONS = "imagebake-extensions"
"""The extensions that the version serves to its own agent; `-` where there is none."""
TAG_RING = "imagebake-ring-"
"""Before a ring's name: when the version became that ring's current one."""
TAG_REVOKED = "imagebake-revoked"
"""When, and for which ring and those after it; `*` is all of them. Never taken away."""
TAG_REVOKED_REASON = "imagebake-revoked-reason"
TAG_OVERRIDE = "imagebake-override-"
"""Before a ring's name: when and why a revocation or a missing proof was overruled there."""
TAG_OVERRODE_FREEZE = "imagebake-overrode-freeze"
"""When and why something was done in spite of a freeze; on a version or a definition."""
TAG_HOLD = "imagebake-hold"
"""When and why a version, or all of a definition, stays as it is."""
TAG_KEEP = "imagebake-keep"
"""Whatever it says: this is never retired."""
TAG_PROTECTED = "imagebake-protected"
"""Whatever it says: imagebake does not delete what has it. `bootstrap` gives it to all it makes."""
TAG_RETIRED = "imagebake-retired"
"""When a version was hidden to be deleted later."""
TAG_INCIDENT = "imagebake-incident-"
"""Before a region, on a definition: since when heartbeats miss there, and what failed where."""
TAG_CLAIM = "imagebake-claim-"
"""Before a random id, on a definition: until when somebody works on it, and who."""

_LONGEST_TAG = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryVersion:
    """One version of one definition.

    *published* is None while the service has not said; *state* is the provisioning state;
    *regions* maps a region to the state of its replication, *replicas* to how many are asked
    for. *hidden* hides it everywhere, *excluded* in some regions. *guarded* versions cannot be
    deleted before their *end_of_life*. *parent* is the id, in lower case, of the version that
    this one was made from.
    """

    id: str
    definition: str
    version: ImageVersion
    state: str
    published: dt.datetime | None
    hidden: bool
    tags: Mapping[str, str]
    regions: Mapping[str, str]
    end_of_life: dt.datetime | None = None
    excluded: frozenset[str] = frozenset()
    guarded: bool = False
    parent: str | None = None
    replicas: Mapping[str, int] = field(default_factory=dict)

    @property
    def shown(self) -> frozenset[str]:
        """The regions in which `latest` can mean this version."""
        return frozenset() if self.hidden else frozenset(self.regions) - self.excluded

    @property
    def healthy(self) -> bool:
        """Whether the version can be used: provisioned, and no region has failed."""
        return self.state == "Succeeded" and "Failed" not in self.regions.values()

    @property
    def coming(self) -> bool:
        """Whether the version is being made or copied, which may take hours, or changed."""
        return self.state in ("Creating", "Updating")

    @property
    def held(self) -> frozenset[str] | None:
        """The extensions that it serves by itself, in lower case; None when nobody has said."""
        text = self.tags.get(TAG_EXTENSIONS)
        return None if text is None else frozenset(text.lower().split()) - {"-"}

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
            "end_of_life": self.end_of_life.isoformat() if self.end_of_life else None,
            "excluded": sorted(self.excluded),
            "guarded": self.guarded,
            "parent": self.parent,
            "replicas": dict(self.replicas),
        }


def held_tag(handlers: Iterable[str]) -> dict[str, str]:
    """The tag that says which extensions a version holds; none where a tag has no room for it."""
    text = " ".join(sorted(handlers)) or "-"
    return {TAG_EXTENSIONS: text} if len(text) <= _LONGEST_TAG else {}


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


EVERYWHERE = "*"
"""A revocation for every ring."""


FOREVER = dt.datetime.max.replace(tzinfo=dt.UTC)
"""The time of a tag that cannot be read: nothing is later, so nothing overrules it."""


_RING = re.compile(r"[a-z][a-z0-9-]{0,31}")


def read_revoked(text: str) -> tuple[str, dt.datetime]:
    """The ring and the time of a revocation; what cannot be read revokes everywhere, forever."""
    time, _, ring = text.strip().partition(" ")
    at = read_time(time)
    ring = ring.strip()
    if ring != EVERYWHERE and not _RING.fullmatch(ring):
        ring = EVERYWHERE
    return ring, at or FOREVER


def read_time(text: str) -> dt.datetime | None:
    """The time that a tag's text begins with, in UTC; None where it is none."""
    try:
        found = dt.datetime.fromisoformat(text.strip().partition(" ")[0])
    except ValueError:
        return None
    try:
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except OverflowError:
        return None


def written_time(at: dt.datetime) -> str:
    """*at* as our tags have it: UTC, in whole seconds."""
    return at.astimezone(dt.UTC).isoformat(timespec="seconds")
