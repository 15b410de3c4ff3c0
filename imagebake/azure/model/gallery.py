"""Image versions of a compute gallery, and the tags that imagebake gives them."""

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
"""Reason for baking the version although a review of its pins was overdue."""
TAG_PROOF = "imagebake-proof"
"""`passed` or `failed`, and the digest of the record with the reason."""
TAG_FROM = "imagebake-from"
"""Id of the version that this one was baked from."""
TAG_EXTENSIONS = "imagebake-extensions"
"""Extensions that the version serves to its own agent; `-` for none."""
TAG_RING = "imagebake-ring-"
"""Prefix of a ring's name; the value is the time at which the version became current there."""
TAG_REVOKED = "imagebake-revoked"
"""Time, and the ring from which on; `*` means all rings. Never removed."""
TAG_REVOKED_REASON = "imagebake-revoked-reason"
TAG_OVERRIDE = "imagebake-override-"
"""Prefix of a ring's name: time and reason of overriding a revocation or a missing proof."""
TAG_OVERRODE_FREEZE = "imagebake-overrode-freeze"
"""Time and reason of an action during a freeze; on a version or a definition."""
TAG_HOLD = "imagebake-hold"
"""Time and reason of keeping a version, or all of a definition, as it is."""
TAG_KEEP = "imagebake-keep"
"""With any value: the version is never retired."""
TAG_PROTECTED = "imagebake-protected"
"""With any value: imagebake does not delete the resource. `bootstrap` sets it on all it makes."""
TAG_RETIRED = "imagebake-retired"
"""Time at which a version was hidden, to be deleted later."""
TAG_INCIDENT = "imagebake-incident-"
"""Prefix of a region, on a definition: since when heartbeats are missing there, and the cause."""
TAG_CLAIM = "imagebake-claim-"
"""Prefix of a random id, on a definition: expiry and holder of a claim."""

_LONGEST_TAG = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryVersion:
    """A version of an image definition.

    *published* is None until the service reports it; *state* is the provisioning state;
    *regions* maps a region to the state of its replication, *replicas* to the number
    requested. *hidden* hides it everywhere, *excluded* in some regions. *guarded* versions
    cannot be deleted before their *end_of_life*. *parent* is the id, in lower case, of the
    version that it was created from.
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
        """Whether the version can be used: provisioned, and not failed in any region."""
        return self.state == "Succeeded" and "Failed" not in self.regions.values()

    @property
    def coming(self) -> bool:
        """Whether the version is being created, replicated (which may take hours) or updated."""
        return self.state in ("Creating", "Updating")

    @property
    def held(self) -> frozenset[str] | None:
        """The extensions that it serves by itself, in lower case; None without such a tag."""
        text = self.tags.get(TAG_EXTENSIONS)
        return None if text is None else frozenset(text.lower().split()) - {"-"}

    @property
    def bake_key(self) -> str | None:
        """The key of the bake that created it; None where that was not imagebake."""
        return self.tags.get(TAG_BAKE_KEY)

    def to_json(self) -> dict[str, Any]:
        """Return the version as JSON."""
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
    """Return the tag that lists a version's extensions; none where the list is too long."""
    text = " ".join(sorted(handlers)) or "-"
    return {TAG_EXTENSIONS: text} if len(text) <= _LONGEST_TAG else {}


def next_version(now: dt.datetime, taken: Iterable[ImageVersion]) -> ImageVersion:
    """Return the version for a bake at *now* (UTC): the date, and the next number of the day.

    Failed versions count as *taken*: a number is never used twice.
    """
    major, minor = now.year, now.month * 100 + now.day
    today = [version.patch for version in taken if (version.major, version.minor) == (major, minor)]
    return ImageVersion(major, minor, max(today, default=-1) + 1)


def latest(versions: Iterable[GalleryVersion]) -> GalleryVersion | None:
    """Return the version that `latest` means: the highest healthy one that is not hidden."""
    shown = [version for version in versions if version.healthy and not version.hidden]
    return max(shown, key=lambda version: version.version, default=None)


EVERYWHERE = "*"
"""In a revocation: every ring."""


FOREVER = dt.datetime.max.replace(tzinfo=dt.UTC)
"""Time of a tag that cannot be parsed: nothing is later, so nothing overrides it."""


_RING = re.compile(r"[a-z][a-z0-9-]{0,31}")


def read_revoked(text: str) -> tuple[str, dt.datetime]:
    """Parse a revocation's ring and time; a malformed one revokes everywhere, forever."""
    time, _, ring = text.strip().partition(" ")
    at = read_time(time)
    ring = ring.strip()
    if ring != EVERYWHERE and not _RING.fullmatch(ring):
        ring = EVERYWHERE
    return ring, at or FOREVER


def read_time(text: str) -> dt.datetime | None:
    """Parse the time at the start of a tag's value, in UTC; None where there is none."""
    try:
        found = dt.datetime.fromisoformat(text.strip().partition(" ")[0])
    except ValueError:
        return None
    try:
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except OverflowError:
        return None


def written_time(at: dt.datetime) -> str:
    """Format *at* as in our tags: UTC, in whole seconds."""
    return at.astimezone(dt.UTC).isoformat(timespec="seconds")
