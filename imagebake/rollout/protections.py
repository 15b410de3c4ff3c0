"""Protections that keep a version from being retired, each with a command that shows it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from imagebake.azure.model.gallery import (
    TAG_HOLD,
    TAG_KEEP,
    TAG_PROTECTED,
    TAG_RETIRED,
    TAG_RING,
    GalleryVersion,
    read_time,
)
from imagebake.azure.resources.resource_ids import definition_of, key, name_of, spoken
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.rings import Rings, has_passed_proof
from imagebake.rollout.usage import Usage
from imagebake.spec.model.rings import Retirement, Ring

SETTLED = ("Succeeded", "Failed")
"""Provisioning states without an operation in progress."""
_LOCKS = "/providers/Microsoft.Authorization/locks?api-version=2020-05-01"


class RetirementPolicy(NamedTuple):
    """Rings and retirement rules of one definition; *image* names it in commands."""

    rings: tuple[Ring, ...]
    retirement: Retirement
    image: str = ""


Policies = Mapping[str, RetirementPolicy | tuple[tuple[Ring, ...], Retirement]]
"""Retirement policies of a gallery, by the definition's name or id."""


@dataclass(frozen=True, slots=True)
class Protection:
    """One reason why a version stays: kind, sentence, protecting resource, and a command."""

    kind: str
    why: str
    protector: str
    command: str


class Protections:
    """The protections of each version of one definition at *now*."""

    def __init__(
        self,
        index: VersionIndex,
        usage: Usage,
        definition: str,
        policy: RetirementPolicy,
        now: dt.datetime,
    ) -> None:
        self.rings = Rings(index, definition, policy.rings)
        self.image = policy.image or name_of(definition)
        self._usage = usage
        self._index = index
        self._terms = policy.retirement
        self._now = now
        self._status = f"./inv status {self.image}"
        self._ring_protected = dict(self._ring_protections())
        self._kept = self._keep()
        self._locks = tuple(_locks(index.locks, definition))
        self._tags = index.tags_of(definition)

    def of(self, version: GalleryVersion) -> tuple[Protection, ...]:
        """Return everything that protects *version*, the strongest first."""
        return (
            *self._ring_protected.get(key(version.id), ()),
            *self._in_use(version),
            *self._held(version),
            *self._locked(version),
            *self._age(version),
            *self._unsettled(version),
            *self._counted(version),
            *self._remembered(version),
        )

    def _ring_protections(self) -> dict[str, list[Protection]]:
        found: dict[str, list[Protection]] = {}
        for ring in self.rings.names:
            for kind, version in (
                ("current", self.rings.current(ring)),
                ("previous", self.rings.previous(ring)),
            ):
                if version:
                    why = f"it is the {kind} version of ring {ring}"
                    protection = Protection(kind, why, f"ring {ring}", self._status)
                    found.setdefault(key(version.id), []).append(protection)
        return found

    def _in_use(self, version: GalleryVersion) -> Iterator[Protection]:
        users = self._usage.of(version)
        if users.count:
            who, how = users.first[0]
            more = f", and {users.count - 1:,} more use it" if users.count > 1 else ""
            why = how.format(spoken(who)) + more
            yield Protection("in-use", why, who, f"az resource show --ids {who}")

    def _held(self, version: GalleryVersion) -> Iterator[Protection]:
        for tags, whose, what in (
            (version.tags, version.id, "it is"),
            (self._tags, self.rings.id, "every version of its image is"),
        ):
            show = f"az tag list --resource-id {whose}"
            if TAG_HOLD in tags:
                yield Protection("hold", f"{what} held: {tags[TAG_HOLD]}", whose, show)
            if TAG_KEEP in tags:
                detail = f" ({tags[TAG_KEEP]})" if tags[TAG_KEEP] else ""
                yield Protection("tag", f"{what} kept by the tag {TAG_KEEP}{detail}", whose, show)

        if TAG_PROTECTED in version.tags:
            show = f"az tag list --resource-id {version.id}"
            yield Protection("tag", f"it is protected by the tag {TAG_PROTECTED}", version.id, show)

    def _locked(self, version: GalleryVersion) -> Iterator[Protection]:
        # A management lock on any scope above the version forbids its deletion too.
        own = ((key(version.id), name) for name in self._index.locks.get(key(version.id), ()))
        for scope, lock in (*own, *self._locks):
            show = f'az rest --method get --url "{scope}{_LOCKS}"'
            why = f"the lock {lock!r} on {name_of(scope)} forbids it"
            yield Protection("lock", why, f"{scope}{_LOCKS.partition('?')[0]}/{lock}", show)

    def _age(self, version: GalleryVersion) -> Iterator[Protection]:
        show = f"./inv show {self.image}@{version.version}"
        if version.published is None:
            why = "its age is unknown"
            yield Protection("unknown-age", why, version.id, show)
            return
        days = self._terms.minimum_age_days
        if self._now - version.published < dt.timedelta(days=days):
            why = f"it is younger than {days} days (published {version.published:%F})"
            yield Protection("young", why, "retirement.minimum_age_days", show)

    def _unsettled(self, version: GalleryVersion) -> Iterator[Protection]:
        show = f"./inv show {self.image}@{version.version}"
        if version.state not in SETTLED:
            why = f"an operation on it is in progress: its state is {version.state}"
            yield Protection("unsettled", why, version.id, show)
        for name, text in version.tags.items():
            # A tag that cannot be read might have protected the version.
            unreadable = name.startswith(TAG_RING) and read_time(text) is None
            if unreadable or (name == TAG_RETIRED and read_time(text) is None):
                why = f"its tag {name} says {text!r}, which is not a time"
                yield Protection(
                    "unreadable", why, version.id, f"az tag list --resource-id {version.id}"
                )

    def _counted(self, version: GalleryVersion) -> Iterator[Protection]:
        if key(version.id) in self._kept:
            why = f"it is one of the newest {self._terms.keep} good versions"
            yield Protection("keep", why, "retirement.keep", self._status)

    def _remembered(self, version: GalleryVersion) -> Iterator[Protection]:
        if self._index.is_record(version):
            why = "it is the only record that its bake key is revoked"
            yield Protection(
                "revocation", why, version.id, f"az tag list --resource-id {version.id}"
            )

    def _keep(self) -> set[str]:
        """Return the ids of the newest good versions to keep.

        The count is applied twice: to proven versions and to all healthy ones, so that a lack of
        proofs does not empty the ring's fallbacks.
        """
        sound = [
            version
            for version in reversed(self.rings.versions)
            if version.healthy
            and TAG_RETIRED not in version.tags
            and not self.rings.revoked_anywhere(version)
        ]
        proved = [version for version in sound if has_passed_proof(version)]
        keep = self._terms.keep
        return {key(version.id) for version in (*proved[:keep], *sound[:keep])}


def _locks(locks: Mapping[str, Iterable[str]], definition: str) -> Iterator[tuple[str, str]]:
    """Yield the locks on *definition* and on every scope above it, the nearest first."""
    scope = definition_of(definition)
    while scope:
        for name in locks.get(scope, ()):
            yield scope, name
        scope = scope.rpartition("/")[0]
    for name in locks.get("/", ()):
        yield "/", name
