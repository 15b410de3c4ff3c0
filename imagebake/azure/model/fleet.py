"""Everything a rollout is decided from: versions, who uses them, what protects them."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from imagebake.azure.model.gallery import GalleryVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One image definition of the gallery, with its tags."""

    id: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine, or an instance of a scale set.

    *image* is the id that its model names: of a version, or of a definition, which stands
    for the latest. *exact* is the id of the version that it was made from, where Azure says
    so; None means unknown, and *image* is all there is.
    """

    id: str
    region: str
    image: str
    exact: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class UpgradeState(enum.StrEnum):
    """How far a rolling upgrade is; *NONE* is a scale set that never had one."""

    NONE = "none"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSet:
    """A scale set: *image* is what its model says, *instances* are what runs.

    *etag* is what a write must name, so that nobody's change is lost. *extensions* are those of
    the model: the agent's name of each, by the name that it has there.
    """

    id: str
    name: str
    region: str
    image: str
    etag: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    instances: tuple[Machine, ...] = ()
    upgrade: UpgradeState = UpgradeState.NONE
    extensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What was read at *at*, of one gallery.

    *locks* maps the id of a resource or of a scope above it, in lower case, to the names of
    the locks on it. *unread* says in words what could not be read: while there is anything,
    nothing is deleted. *others* are ids of versions that something outside machines and
    scale sets refers to, with who does. *soft_delete* is whether the gallery keeps what is
    deleted for a while. *counts* are galleries, definitions and versions of the whole
    subscription and region, where those were counted.
    """

    gallery: str
    at: dt.datetime
    definitions: tuple[Definition, ...] = ()
    versions: tuple[GalleryVersion, ...] = ()
    scale_sets: tuple[ScaleSet, ...] = ()
    machines: tuple[Machine, ...] = ()
    locks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    soft_delete: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)

    def of(self, definition: str) -> tuple[GalleryVersion, ...]:
        """The versions of *definition*, oldest number first."""
        mine = (one for one in self.versions if one.definition == definition)
        return tuple(sorted(mine, key=lambda one: one.version))

    def unseen(self, definition: str) -> tuple[str, ...]:
        """What could not be read of *definition* and of scale sets: some may be left behind."""
        needed = (f"the versions of {definition}:", *_OF_SCALE_SETS)
        return tuple(one for one in self.unread if one.startswith(needed))


_OF_SCALE_SETS = ("the scale sets:", "the instances of ", "the upgrade of ")
