"""Who uses which version: machines, scale sets, and whatever else refers to one."""

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
"""Lists do not say how far a replication is; while one is under way, the version is updating."""
_KEPT = 20
"""So many users of a version are remembered; the rest are counted."""


@dataclass(slots=True)
class VersionUsers:
    """Who uses a version, the first ones with how they do, and how many there are."""

    first: list[tuple[str, str]] = field(default_factory=list)
    count: int = 0

    def add(self, who: str, how: str) -> None:
        """Count *who*, and remember them if they are among the first."""
        self.count += 1
        if len(self.first) < _KEPT:
            self.first.append((who, how))

    def join(self, others: VersionUsers) -> None:
        """Count *others* as well."""
        self.count += others.count
        self.first = (self.first + others.first)[:_KEPT]


class Usage:
    """The users of every version, each reference read so that none can be missed.

    A reference to a definition means its latest version in the user's region; where it is
    not known which version a machine was made from, it means every version.
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
        """Everybody who uses *version*, or may do so."""
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
                machine.image, machine.id, f"{what} may run it: nobody knows its exact version"
            )

    def _scale_set(self, scale_set: ScaleSet) -> None:
        self._refer(
            scale_set.image, scale_set.id, "scale set {} has it as its model", scale_set.region
        )
        for instance in scale_set.instances:
            self._machine(instance, "instance {}")

    def _refer(self, target: str, who: str, how: str, region: str = "") -> None:
        """Count a reference; one to what moves, from no *region*, may mean every version."""
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
            self._every[definition_of(target)].add(who, how)

    def _at_home(self, target: str) -> str:
        """*target* in this gallery, where it was named by way of sharing."""
        if not target.startswith(_FOREIGN):
            return target
        _, _, rest = target.partition("/images/")
        image, slash, version = rest.partition("/")
        return self._local.get(image, target.partition("/versions/")[0]) + slash + version


def could_be_latest(index: VersionIndex, definition: str, region: str) -> Iterator[GalleryVersion]:
    """The versions that `latest` may mean in *region*: down to the first that surely can."""
    for version in reversed(index.of(definition)):
        if region in version.shown:
            yield version
            if version.state == "Succeeded" and version.regions.get(region) in _THERE:
                return
