"""A gallery and its consumers without a cloud: actions change it, write by write.

What is true is kept beside what can be read: a scale set's instances know what they were made
from, even where an inventory says that nobody knows. The laws are asked of the truth.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from imagebake.azure.model.fleet import Definition, Inventory, Machine, ScaleSet, UpgradeState
from imagebake.azure.model.gallery import (
    TAG_BAKE_KEY,
    TAG_FROM,
    TAG_HOLD,
    TAG_OVERRIDE,
    TAG_PROOF,
    TAG_RETIRED,
    TAG_REVOKED,
    TAG_RING,
    GalleryVersion,
    next_version,
)
from imagebake.azure.resources.resource_ids import definition_of, is_version, key
from imagebake.rollout.model import actions as act
from imagebake.rollout.model.effects import version_after
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.fleets import COMPUTE, GALLERY, NOW, definition_id, version_id

Write = Callable[[], None]


@dataclass
class Fate:
    """What was ever revoked, by whom, so that deleting a version hides nothing."""

    scope: str
    at: dt.datetime


@dataclass
class World:
    """Everything there is; *crashed* counts writes that were never made."""

    specs: dict[str, ImageSpec]
    now: dt.datetime = NOW
    versions: dict[str, GalleryVersion] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    scale_sets: dict[str, ScaleSet] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    locks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    parents: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    revoked: dict[str, list[Fate]] = field(default_factory=dict)
    retired: dict[str, dt.datetime] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    taken: dict[str, list[GalleryVersion]] = field(default_factory=dict)
    laws: list[Callable[[str, act.Action], None]] = field(default_factory=list)
    """Asked of a version and an action just before it is retired or deleted."""

    def copy(self) -> World:
        """The same world, in which nobody asks about laws."""
        return copy.deepcopy(replace(self, laws=[]))

    def state(self) -> object:
        """What two worlds must share to be the same one."""
        return (self.versions, self.tags, self.scale_sets, self.machines, self.locks)

    # What happens of itself, or is done by others.

    def bake(
        self,
        image: str,
        *,
        proof: str = "passed",
        state: str = "Succeeded",
        parent: str | None = None,
        bake_key: str | None = None,
    ) -> str:
        """A bake, which takes a number that nobody had and hides what it made."""
        before = self.taken.setdefault(image, [])
        number = next_version(self.now, [one.version for one in before])
        name = version_id(str(number), image)
        bake_key = bake_key or f"{image} {number}"
        tags = {TAG_BAKE_KEY: bake_key} | ({TAG_PROOF: proof} if proof else {})
        if parent:
            tags[TAG_FROM] = parent
            self.parents[key(name)] = key(parent)
        one = GalleryVersion(
            id=name,
            definition=image,
            version=number,
            state=state,
            published=self.now,
            hidden=True,
            tags=tags,
            regions={"westeurope": "Completed" if state == "Succeeded" else "Failed"},
            excluded=frozenset({"westeurope"}),
            replicas={"westeurope": 1},
            parent=key(parent) if parent else None,
        )
        self.keys[key(name)] = bake_key
        before.append(one)
        self.versions[key(name)] = one
        return name

    def attach(self, name: str, image: str, region: str, *, tags: dict[str, str]) -> None:
        """A new scale set, whose instances get what its model means now."""
        identifier = f"{COMPUTE}/virtualMachineScaleSets/{name}"
        made = self.means(image, region)
        instance = Machine(
            id=f"{identifier}/virtualMachines/0", region=region, image=image, exact=made
        )
        self.scale_sets[key(identifier)] = ScaleSet(
            id=identifier, name=name, region=region, image=image, etag="1", tags=tags,
            instances=(instance,) if made else (),
        )  # fmt: skip

    def means(self, image: str, region: str) -> str | None:
        """The version that a machine made from *image* in *region* would have."""
        if is_version(image):
            return self.versions[key(image)].id if key(image) in self.versions else None
        found = [
            one
            for one in self.versions.values()
            if definition_of(one.id) == definition_of(image)
            and one.healthy
            and region in one.shown
            and one.regions.get(region) == "Completed"
        ]
        return max(found, key=lambda one: one.version).id if found else None

    def upgrade_all(self) -> None:
        """Every running upgrade ends."""
        for name, one in self.scale_sets.items():
            if one.upgrade is UpgradeState.RUNNING:
                self.scale_sets[name] = self._upgraded(one)

    def fail_upgrade(self, name: str) -> None:
        one = self.scale_sets[name]
        if one.upgrade is UpgradeState.RUNNING:
            self.scale_sets[name] = replace(one, upgrade=UpgradeState.FAILED)

    def replicate(self) -> None:
        """Every replication that is under way ends."""
        for name, one in self.versions.items():
            if "Unknown" in one.regions.values():
                regions = dict.fromkeys(one.regions, "Completed")
                self.versions[name] = replace(one, regions=regions)

    # What is read.

    def inventory(self, *, forgetful: bool = False) -> Inventory:
        """What a reader sees; a *forgetful* cloud says of no machine what it was made from."""

        def seen(machine: Machine) -> Machine:
            return replace(machine, exact=None) if forgetful else machine

        return Inventory(
            gallery=GALLERY,
            at=self.now,
            definitions=tuple(
                Definition(id=definition_id(name), name=name, tags=dict(self.tags.get(name, {})))
                for name in self.specs
            ),
            versions=tuple(self.versions.values()),
            scale_sets=tuple(
                replace(one, instances=tuple(map(seen, one.instances)))
                for one in self.scale_sets.values()
            ),
            machines=tuple(map(seen, self.machines.values())),
            locks=dict(self.locks),
            unread=self.unread,
        )

    # What a plan does.

    def carry_out(self, plan: RolloutPlan, *, writes: int | None = None) -> bool:
        """Do *plan*, or only its first *writes* writes: whoever did it was killed then.

        False where something is to be waited for, which ends a run, too.
        """
        left = writes
        for action in plan.actions:
            if isinstance(action, act.AwaitReplicas):
                one = self.versions[key(action.subject)]
                if any(one.regions.get(region) != "Completed" for region in action.regions):
                    return False
                continue
            for write in self._writes(action):
                if left == 0:
                    return False
                write()
                left = None if left is None else left - 1
        return True

    def finish(self, plan: Callable[[], RolloutPlan], *, rounds: int = 20) -> RolloutPlan:
        """Do what is planned until nothing is left to do, as a patient operator would."""
        for _ in range(rounds):
            made = plan()
            if not made.actions:
                return made
            self.carry_out(made)
            self.replicate()
            self.upgrade_all()
        raise AssertionError(f"there is no end to {made.actions}")

    def _writes(self, action: act.Action) -> Iterator[Write]:
        name = key(action.subject)
        match action:
            case act.Move():
                yield lambda: self._point(name, action.to)
                yield lambda: self._start(name)
            case act.Upgrade():
                yield lambda: self._start(name)
            case act.CancelUpgrade():
                yield lambda: self._set(name, UpgradeState.CANCELLED)
            case act.Delete():
                yield lambda: self._delete(name, action)
            case act.Retire():
                for law in self.laws:
                    law(name, action)
                whole = version_after(action, self.versions[name])
                yield lambda: self._tag(name, whole.tags)
                yield lambda: self._put(name, replace(whole, tags=self.versions[name].tags))
            case act.Unretire():
                whole = version_after(action, self.versions[name])
                yield lambda: self._put(name, replace(whole, tags=self.versions[name].tags))
                yield lambda: self._tag(name, whole.tags)
            case _ if not is_version(action.subject):
                yield lambda: self._tag_definition(action)
            case _:
                yield lambda: self._put(name, version_after(action, self.versions[name]))
                if isinstance(action, act.Revoke):
                    fate = Fate(action.ring, action.at)
                    self.revoked.setdefault(name, []).append(fate)

    def _put(self, name: str, one: GalleryVersion) -> None:
        assert name in self.versions, f"{name} is written to, and is not there"
        self.versions[name] = one
        if TAG_RETIRED in one.tags and not one.shown and one.end_of_life:
            self.retired.setdefault(name, self.now)
        else:
            self.retired.pop(name, None)

    def _tag(self, name: str, tags: object) -> None:
        self._put(name, replace(self.versions[name], tags=dict(tags)))  # type: ignore[call-overload]

    def _tag_definition(self, action: act.Action) -> None:
        tags = self.tags.setdefault(action.subject.rpartition("/")[2], {})
        if isinstance(action, act.Unhold):
            tags.pop(TAG_HOLD, None)
        elif isinstance(action, act.Hold):
            tags[TAG_HOLD] = f"{self.now.isoformat()} {action.reason}"

    def _delete(self, name: str, action: act.Action) -> None:
        for law in self.laws:
            law(name, action)
        del self.versions[name]
        self.retired.pop(name, None)
        self.deleted.append(name)

    def _point(self, name: str, image: str) -> None:
        self.scale_sets[name] = replace(self.scale_sets[name], image=image)

    def _start(self, name: str) -> None:
        one = self.scale_sets[name]
        assert one.upgrade is not UpgradeState.RUNNING, f"{name} is being upgraded already"
        self._set(name, UpgradeState.RUNNING)

    def _set(self, name: str, state: UpgradeState) -> None:
        self.scale_sets[name] = replace(self.scale_sets[name], upgrade=state)

    def _upgraded(self, one: ScaleSet) -> ScaleSet:
        made = self.means(one.image, one.region)
        if made is None:
            return replace(one, upgrade=UpgradeState.FAILED)
        instances = tuple(
            replace(machine, image=one.image, exact=made) for machine in one.instances
        )
        return replace(one, instances=instances, upgrade=UpgradeState.DONE)

    # The truth, for laws; told without any of the code that is judged.

    def in_use(self, name: str) -> list[str]:
        """Who has, may get, or was made from the version *name*."""
        users = []
        for one in self.scale_sets.values():
            users += [
                machine.id
                for machine in one.instances
                if machine.exact and key(machine.exact) == name
            ]
            meant = self.means(one.image, one.region)
            if meant and key(meant) == name:
                users.append(one.id)
        users += [one.id for one in self.machines.values() if one.exact and key(one.exact) == name]
        users += [
            child
            for child, parent in self.parents.items()
            if parent == name and child in self.versions
        ]
        return users

    def is_revoked(self, name: str, ring: str) -> bool:
        """Whether anybody ever revoked *name* for *ring*, by itself or through its kin."""
        spec = self.specs[self.versions[name].definition]
        order = [one.name for one in spec.rollout_rings]
        told = self.versions[name].tags.get(TAG_OVERRIDE + ring)
        overruled = dt.datetime.fromisoformat(told.partition(" ")[0]) if told else None
        for kin in self.kin(name):
            for fate in self.revoked.get(kin, ()):
                reaches = (
                    fate.scope == "*"
                    or fate.scope not in order
                    or order.index(fate.scope) <= order.index(ring)
                )
                if reaches and not (overruled and overruled > fate.at):
                    return True
        return False

    def kin(self, name: str) -> set[str]:
        """Everything whose revocation is one of *name*: itself, ancestors, and their twins."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one in found:
                continue
            found.add(one)
            if one in self.parents:
                waiting.append(self.parents[one])
            waiting += [twin for twin, told in self.keys.items() if told == self.keys.get(one)]
        return found

    def seated(self, image: str, ring: str) -> Iterable[GalleryVersion]:
        """Versions that were ever made current of *ring* and are there still."""
        return [
            one
            for one in self.versions.values()
            if one.definition == image and TAG_RING + ring in one.tags
        ]

    def carriers(self) -> list[str]:
        return [name for name, one in self.versions.items() if TAG_REVOKED in one.tags]
