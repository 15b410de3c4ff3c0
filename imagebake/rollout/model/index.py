"""Index over a fleet inventory: versions by id and definition, and revocations."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagebake.azure.model.fleet import Definition, Inventory
from imagebake.azure.model.gallery import (
    TAG_FROM,
    TAG_REVOKED,
    GalleryVersion,
    read_revoked,
)
from imagebake.azure.resources.resource_ids import definition_of, key


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A revocation for *ring* and all later rings, set at *at* on the version *origin*."""

    ring: str
    at: dt.datetime
    origin: str


class VersionIndex:
    """The versions of *inventory* by id and by definition, with their revocations."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.versions = {key(version.id): version for version in inventory.versions}
        self.definitions: dict[str, Definition] = {
            key(definition.id): definition for definition in inventory.definitions
        }
        self.locks = {key(scope): names for scope, names in inventory.locks.items()}
        self._of: dict[str, list[GalleryVersion]] = defaultdict(list)
        self.children: dict[str, list[str]] = defaultdict(list)
        self._twins: dict[str, list[str]] = defaultdict(list)
        for name, version in self.versions.items():
            self._of[definition_of(name)].append(version)
            for parent in parents_of(version):
                self.children[parent].append(name)
            if version.bake_key:
                self._twins[version.bake_key].append(name)
        for versions in self._of.values():
            versions.sort(key=lambda version: version.version)
        self._records: dict[tuple[str, str], tuple[dt.datetime, str]] = {}
        self.revocations = self._revocations()

    def of(self, definition: str) -> list[GalleryVersion]:
        """Return the versions of *definition*, an ARM id, lowest version first."""
        return self._of.get(key(definition), [])

    def named(self, definition: str) -> str:
        """Return the id of the definition named *definition*, or an unused id if there is none."""
        low = definition.lower()
        found = (
            definition.id
            for definition in self.inventory.definitions
            if definition.name.lower() == low
        )
        by_version = (
            definition_of(version.id)
            for version in self.inventory.versions
            if version.definition.lower() == low
        )
        return next(found, None) or next(by_version, f"{self.inventory.gallery}/images/{low}")

    def spelled(self, definition: str) -> str:
        """Return the id *definition* in Azure's own spelling, if it was read."""
        found = self.definitions.get(key(definition))
        versions = self.of(definition)
        if found or not versions:
            return found.id if found else definition
        # Normalising keeps the length, so the prefix of a version's id is the definition's.
        return versions[0].id[: len(key(definition))]

    def tags_of(self, identifier: str) -> Mapping[str, str]:
        """Return the tags of the definition that *identifier* is, or is a version of."""
        definition = self.definitions.get(definition_of(identifier))
        return definition.tags if definition else {}

    def affected_by(self, origin: str) -> Iterator[str]:
        """Yield the ids that a revocation of *origin* reaches.

        These are the version itself, versions with the same bake key, and all made from them.
        """
        return self._reached([key(origin)], set())

    def is_record(self, version: GalleryVersion) -> bool:
        """Whether *version* is the only record that its bake key is revoked for a ring."""
        if TAG_REVOKED not in version.tags or not version.bake_key:
            return False
        ring, at = read_revoked(version.tags[TAG_REVOKED])
        return self._records[version.bake_key, ring] == (at, key(version.id))

    def _revocations(self) -> dict[str, list[Revocation]]:
        """Collect each version's revocations: per ring the latest that reaches it."""
        carriers: dict[str, list[tuple[dt.datetime, str]]] = defaultdict(list)
        for name, version in self.versions.items():
            if TAG_REVOKED in version.tags:
                ring, at = read_revoked(version.tags[TAG_REVOKED])
                # A revocation is inherited through parents and equal bake keys.
                carriers[ring].append((at, name))
                if version.bake_key:
                    last = self._records.setdefault((version.bake_key, ring), (at, name))
                    self._records[version.bake_key, ring] = max(last, (at, name))
        found: dict[str, list[Revocation]] = defaultdict(list)
        for ring, origins in carriers.items():
            seen: set[str] = set()
            for at, origin in sorted(origins, reverse=True):
                for name in self._reached([origin], seen):
                    found[name].append(Revocation(ring=ring, at=at, origin=origin))
        return found

    def _reached(self, waiting: list[str], seen: set[str]) -> Iterator[str]:
        """Walk from *waiting* to children and same bake keys; *seen* has been walked before."""
        keys: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            yield name
            waiting += self.children.get(name, ())
            version = self.versions.get(name)
            if version and version.bake_key and version.bake_key not in keys:
                keys.add(version.bake_key)
                waiting += self._twins[version.bake_key]


def parents_of(version: GalleryVersion) -> set[str]:
    """Return the normalised ids of the versions that *version* was made from."""
    named = (version.parent, version.tags.get(TAG_FROM))
    return {key(parent) for parent in named if parent} - {key(version.id)}
