"""Current and previous versions of each ring, derived from tags."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from imagebake.azure.model.gallery import (
    EVERYWHERE,
    TAG_HOLD,
    TAG_OVERRIDE,
    TAG_PROOF,
    TAG_RETIRED,
    TAG_RING,
    GalleryVersion,
    read_time,
)
from imagebake.azure.resources.resource_ids import key
from imagebake.rollout.model.index import Revocation, VersionIndex
from imagebake.spec.model.rings import Ring

PASSED = "passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RingAssignment:
    """A version that was made current in a ring, and when."""

    version: GalleryVersion
    since: dt.datetime


class Rings:
    """The rings of one definition over an index."""

    def __init__(self, index: VersionIndex, definition: str, rings: Sequence[Ring]) -> None:
        self.index = index
        self.definition = key(definition)
        self.id = index.spelled(definition)
        self.rings = tuple(rings)
        self.names = [ring.name for ring in rings]
        self.versions = index.of(definition)
        self._assignments: dict[str, list[RingAssignment]] = {}

    def ring(self, name: str) -> Ring:
        """Return the ring *name*; raises `KeyError` if there is none."""
        return next((ring for ring in self.rings if ring.name == name), None) or _missing(name)

    def history(self, ring: str) -> list[RingAssignment]:
        """Return the assignments of *ring* that are not revoked for it, latest first."""
        if ring not in self._assignments:
            tag = TAG_RING + ring
            tagged = (
                (version, read_time(version.tags[tag]))
                for version in self.versions
                if tag in version.tags
            )
            assignments = [
                RingAssignment(version=version, since=since)
                for version, since in tagged
                if since and not self.revoked(version, ring)
            ]
            # Two versions may carry the same time; the higher version wins then.
            assignments.sort(
                key=lambda assignment: (assignment.since, assignment.version.version), reverse=True
            )
            self._assignments[ring] = assignments
        return self._assignments[ring]

    def current(self, ring: str) -> GalleryVersion | None:
        """Return the version that machines of *ring* should have."""
        assignments = self.history(ring)
        return assignments[0].version if assignments else None

    def previous(self, ring: str) -> GalleryVersion | None:
        """Return the version that becomes current if the current one alone is revoked."""
        assignments = self.history(ring)
        return assignments[1].version if len(assignments) > 1 else None

    def revoked(self, version: GalleryVersion, ring: str) -> Revocation | None:
        """Return the revocation that bans *version* from *ring*, unless a later override exists."""
        override = version.tags.get(TAG_OVERRIDE + ring)
        overruled = read_time(override) if override else None
        for revocation in self.index.revocations.get(key(version.id), ()):
            if self._reaches(revocation.ring, ring) and not (
                overruled and overruled > revocation.at
            ):
                return revocation
        return None

    def revoked_anywhere(self, version: GalleryVersion) -> bool:
        """Whether *version* is revoked for any ring of this definition."""
        return any(self.revoked(version, name) for name in self.names)

    def good(self, version: GalleryVersion, ring: Ring) -> bool:
        """Whether *version* may be current in *ring*."""
        return not self.why_not_good(version, ring)

    def why_not_good(self, version: GalleryVersion, ring: Ring) -> str:
        """Return why *version* is not good for *ring*; empty if it is."""
        if not version.healthy:
            return f"it is not healthy: {describe_failure(version)}"
        if revocation := self.revoked(version, ring.name):
            return f"it is revoked: {self.why_revoked(version, revocation)}"
        if TAG_RETIRED in version.tags:
            return "it is retired"
        if ring.proof and not has_passed_proof(version) and not self.overruled(version, ring.name):
            return f"it has no passed proof ({version.tags.get(TAG_PROOF) or 'none at all'})"
        return ""

    def why_revoked(self, version: GalleryVersion, revocation: Revocation) -> str:
        """Describe the revocation: its rings, and the version it was inherited from."""
        origin = self.index.versions.get(revocation.origin)
        own = key(version.id) == revocation.origin
        whose = (
            "" if own or not origin else f", inherited from {origin.definition}@{origin.version}"
        )
        where = "everywhere" if revocation.ring == EVERYWHERE else f"from {revocation.ring} on"
        return f"{where}{whose}"

    def overruled(self, version: GalleryVersion, ring: str) -> bool:
        """Whether an override for *version* in *ring* is recorded."""
        return bool(read_time(version.tags.get(TAG_OVERRIDE + ring, "")))

    def held(self, version: GalleryVersion) -> str:
        """Return the hold on *version* or its definition; empty if there is none."""
        return version.tags.get(TAG_HOLD) or self.index.tags_of(version.id).get(TAG_HOLD, "")

    def last_with(self, region: str) -> Ring:
        """Return the last ring with *region*: it decides what `latest` resolves to there."""
        having = [ring for ring in self.rings if region in ring.regions]
        return having[-1] if having else self.rings[-1]

    def _reaches(self, revoked: str, ring: str) -> bool:
        """Whether a revocation for the ring *revoked* also applies to *ring*."""
        # A ring that no longer exists cannot be placed in the order: revoke in doubt.
        if revoked == EVERYWHERE or revoked not in self.names or ring not in self.names:
            return True
        return self.names.index(revoked) <= self.names.index(ring)


def has_passed_proof(version: GalleryVersion) -> bool:
    """Whether the version's offline proof passed."""
    return version.tags.get(TAG_PROOF, "").startswith(PASSED)


def describe_failure(version: GalleryVersion) -> str:
    """Return what is wrong with a version that is not healthy."""
    failed = sorted(name for name, state in version.regions.items() if state == "Failed")
    if failed:
        return f"its replication to {', '.join(failed)} failed"
    return f"its state is {version.state}"


def _missing(name: str) -> Ring:
    raise KeyError(name)
