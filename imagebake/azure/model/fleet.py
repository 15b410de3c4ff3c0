"""Inputs of a rollout decision: versions, their consumers, and their protections."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from imagebake.azure.model.gallery import GalleryVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An image definition of the gallery, with its tags."""

    id: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine, or an instance of a scale set.

    *image* is the id in its model: of a version, or of a definition, which means the latest
    version. *exact* is the id of the version that it was created from, where Azure reports it;
    None means unknown.
    """

    id: str
    region: str
    image: str
    exact: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


class UpgradeState(enum.StrEnum):
    """State of a rolling upgrade; *NONE* for a scale set that never had any."""

    NONE = "none"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSet:
    """A scale set: *image* is the one in its model, *instances* are its machines.

    A write must name the *etag*, so that no other client's change is lost. *extensions* are
    those of the model: the handler of each, by the extension's name.
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
    """State of a gallery and its consumers, read at *at*.

    *locks* maps the id of a resource or of a scope above it, in lower case, to the names of
    the locks on it. *unread* describes each part that could not be read: while there is any,
    nothing is deleted. *others* maps ids of versions to those of their consumers that are
    neither machines nor scale sets. *soft_delete* is whether the gallery keeps deleted
    versions for a while. *counts* are galleries, definitions and versions of the whole
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
        """Return the versions of *definition*, oldest number first."""
        mine = (version for version in self.versions if version.definition == definition)
        return tuple(sorted(mine, key=lambda version: version.version))

    def unseen(self, definition: str) -> tuple[str, ...]:
        """Return the unread parts that may hide versions of *definition* or scale sets."""
        needed = (f"the versions of {definition}:", *_OF_SCALE_SETS)
        return tuple(part for part in self.unread if part.startswith(needed))


_OF_SCALE_SETS = ("the scale sets:", "the instances of ", "the upgrade of ")
