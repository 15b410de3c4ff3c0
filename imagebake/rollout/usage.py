"""Users of gallery versions: machines, scale sets and other references."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from imagebake.azure.model.fleet import Machine, ScaleSet
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.resources.resource_ids import definition_of, is_version, key, name_of
from imagebake.rollout.model.index import VersionIndex, parents_of

_FOREIGN = ("/sharedgalleries/", "/communitygalleries/")
_THERE = ("Completed", "Unknown")
"""Region states that count as complete.

List calls report no replication state. That is safe, because the version itself is
`Updating` while a replication is under way.
"""
_KEPT = 20
"""Number of users per version that are remembered; the rest is only counted."""


@dataclass(slots=True)
class VersionUsers:
    """Users of a version: the first ones with how they use it, and the total count."""

    first: list[tuple[str, str]] = field(default_factory=list)
    count: int = 0

    def add(self, who: str, how: str) -> None:
        """Count *who*, and remember it if it is among the first."""
        self.count += 1
        if len(self.first) < _KEPT:
            self.first.append((who, how))

    def join(self, others: VersionUsers) -> None:
        """Add the users in *others*."""
        self.count += others.count
        self.first = (self.first + others.first)[:_KEPT]


class Usage:
    """The users of every version. When in doubt, a version counts as used.

    A reference to a definition means its latest version in the user's region. If the version
    that a machine was made from is unknown, it means every version.
    """

    def __init__(self, index: VersionIndex) -> None:
        self._index = index
        self._direct: dict[str, VersionUsers] = defaultdict(VersionUsers)
        self._every: dict[str, VersionUsers] = defaultdict(VersionUsers)
        self._latest: dict[tuple[str, str], VersionUsers] = defaultdict(VersionUsers)
        self._local = {
            name_of(key(definition.id)): key(definition.id)
            for definition in index.inventory.definitions
        }
        self._local |= {
            name_of(definition_of(version.id)): definition_of(version.id)
            for version in index.inventory.versions
        }
        for machine in index.inventory.machines:
            self._machine(machine, "machine {}")
        for scale_set in index.inventory.scale_sets:
            self._scale_set(scale_set)
        for target, who in index.inventory.others.items():
            for user in who or (target,):
                self._refer(target, user, "{} refers to it")
        for child in index.inventory.versions:
            for parent in parents_of(child):
                self._refer(parent, child.id, "{} was made from it")
        for (definition, region), users in self._latest.items():
            for version in could_be_latest(index, definition, region):
                self._direct[key(version.id)].join(users)

    def of(self, version: GalleryVersion) -> VersionUsers:
        """Return the users and possible users of *version*."""
        name = key(version.id)
        direct, every = self._direct.get(name), self._every.get(definition_of(name))
        if direct is None or every is None:
            return direct or every or VersionUsers()
        first = (direct.first + every.first)[:_KEPT]
        return VersionUsers(first=first, count=direct.count + every.count)

    def _machine(self, machine: Machine, what: str) -> None:
        exact = machine.exact
        if exact and "/" not in exact:
            exact = f"{definition_of(machine.image)}/versions/{exact}"
        if exact and is_version(exact):
            self._refer(exact, machine.id, f"{what} runs it")
            if key(machine.image) != key(exact):
                self._refer(
                    machine.image, machine.id, f"{what} has it as its model", machine.region
                )
        elif is_version(machine.image):
            self._refer(machine.image, machine.id, f"{what} runs it")
        else:
            self._refer(
                machine.image, machine.id, f"{what} may run it: its exact version is unknown"
            )

    def _scale_set(self, scale_set: ScaleSet) -> None:
        self._refer(
            scale_set.image, scale_set.id, "scale set {} has it as its model", scale_set.region
        )
        for instance in scale_set.instances:
            self._machine(instance, "instance {}")

    def _refer(self, target: str, who: str, how: str, region: str = "") -> None:
        """Count a reference. One to a definition without a *region* may mean every version."""
        if not target:
            return
        target = self._at_home(key(target))
        if is_version(target):
            self._direct[target].add(who, how)
        elif region:
            place = region.replace(" ", "").lower()
            how = f"{{}} takes the latest of {place}, which it may be"
            self._latest[definition_of(target), place].add(who, how)
        else:
            # Without a region there is no telling what latest meant.
            self._every[definition_of(target)].add(who, how)

    def _at_home(self, target: str) -> str:
        """Map *target* into this gallery if it names a shared or community gallery."""
        if not target.startswith(_FOREIGN):
            return target
        _, _, rest = target.partition("/images/")
        image, slash, version = rest.partition("/")
        return self._local.get(image, target.partition("/versions/")[0]) + slash + version


def could_be_latest(index: VersionIndex, definition: str, region: str) -> Iterator[GalleryVersion]:
    """Yield the versions that `latest` may mean in *region*, down to the first certain one."""
    for version in reversed(index.of(definition)):
        if region in version.shown:
            yield version
            if version.state == "Succeeded" and version.regions.get(region) in _THERE:
                return
