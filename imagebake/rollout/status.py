"""Status of each image by ring: current and previous version, users, next step."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import TAG_PROOF, GalleryVersion
from imagebake.azure.resources.resource_ids import key, name_of
from imagebake.rollout.audience import machines_by_ring, scale_sets_by_ring
from imagebake.rollout.freezes import OPEN
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.promote import rings_of
from imagebake.rollout.rollback import images_of
from imagebake.rollout.rotation import rotate_plan
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.rings import Ring

COLUMNS = ("image", "ring", "current", "since", "age", "proof", "replicas", "on it", "previous",
           "what is next")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RingStatus:
    """Status of one ring of one image.

    *flaw* says why the current version is not good. *moved* of *members* scale sets run only
    the current version; *users* counts its machines and scale sets in or outside the ring.
    *upcoming* is the next rotation's work, what it waits for, or its obstacle.
    """

    image: str
    ring: str
    current: GalleryVersion | None
    previous: GalleryVersion | None
    since: dt.datetime | None
    age: dt.timedelta | None
    flaw: str
    replicas: tuple[int, int]
    moved: int
    members: int
    machines: int
    users: int
    upcoming: str
    held: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The row under `COLUMNS`, for people."""
        version = self.current
        return (
            self.image,
            self.ring,
            str(version.version) if version else "-",
            f"{self.since:%Y-%m-%d %H:%M}" if self.since else "-",
            f"{self.age.days} d" if self.age else "-",
            (version.tags.get(TAG_PROOF, "none").partition(" ")[0] if version else "-"),
            f"{self.replicas[0]} of {self.replicas[1]}",
            f"{self.moved} of {self.members} scale sets, {self.users} in all",
            str(self.previous.version) if self.previous else "-",
            self.flaw or (f"held: {self.held}" if self.held else self.upcoming) or "-",
        )

    def to_json(self) -> dict[str, Any]:
        """Return the row for programs."""
        return {
            "image": self.image,
            "ring": self.ring,
            "current": str(self.current.version) if self.current else None,
            "previous": str(self.previous.version) if self.previous else None,
            "since": self.since.isoformat() if self.since else None,
            "age_seconds": int(self.age.total_seconds()) if self.age else None,
            "proof": self.current.tags.get(TAG_PROOF) if self.current else None,
            "flaw": self.flaw or None,
            "replicas": {"complete": self.replicas[0], "wanted": self.replicas[1]},
            "scale_sets": {"moved": self.moved, "all": self.members},
            "machines": self.machines,
            "users": self.users,
            "next": self.upcoming or None,
            "held": self.held or None,
        }


def status(spec: ImageSpec, inventory: Inventory, now: dt.datetime) -> tuple[RingStatus, ...]:
    """Return the status of every ring of *spec*'s image, first to last."""
    view = _View(spec, inventory, now)
    return tuple(map(view.row, view.rings.rings))


class _View:
    """Inventory and rotation plan of one image, queried by ring."""

    def __init__(self, spec: ImageSpec, inventory: Inventory, now: dt.datetime) -> None:
        self.rings = rings_of(spec, VersionIndex(inventory))
        self._image = spec.name
        self._now = now
        # Planned with an open gate: a freeze is reported once, below the table.
        self._plan = rotate_plan(spec, inventory, now=now, gate=OPEN)
        self._audience = scale_sets_by_ring(inventory, self.rings.rings)
        self._machines = machines_by_ring(inventory, self.rings.rings)
        self._users = _users(inventory)

    def row(self, ring: Ring) -> RingStatus:
        """Return the status of *ring*."""
        assignments = self.rings.history(ring.name)
        version = assignments[0].version if assignments else None
        name = key(version.id) if version else ""
        states = [version.regions.get(region) for region in ring.regions] if version else []
        audience = self._audience[ring.name]
        return RingStatus(
            image=self._image,
            ring=ring.name,
            current=version,
            previous=self.rings.previous(ring.name),
            since=assignments[0].since if assignments else None,
            age=self._now - version.published if version and version.published else None,
            flaw=self.rings.why_not_good(version, ring) if version else "",
            replicas=(states.count("Completed"), len(ring.regions)),
            moved=sum(set(images_of(scale_set)) == {name} for scale_set in audience),
            members=len(audience),
            machines=len(self._machines[ring.name]),
            users=self._users.get(name, 0),
            upcoming=self._next(ring),
            held=self.rings.held(version) if version else "",
        )

    def _next(self, ring: Ring) -> str:
        """Return the next rotation's work in *ring*, what it waits for, or its obstacle."""
        todo = sum(getattr(action, "ring", None) == ring.name for action in self._plan.actions)
        if todo:
            return f"{todo} steps: ./inv rotate {self._image}"
        wanted = (f"promote to {ring.name}", f"go on in {ring.name}")
        for due in self._plan.due:
            if due.wanted.startswith(wanted):
                until = f" until {due.at:%m-%d %H:%M}" if due.at else ""
                return f"{name_of(due.subject)}: {due.wanted.partition(': ')[2]}{until}"
        for refusal in self._plan.refusals:
            if refusal.wanted.startswith(wanted):
                return f"{name_of(refusal.subject)}: {refusal.reason}"
        return ""


def _users(inventory: Inventory) -> dict[str, int]:
    """Count the machines and scale sets on each version."""
    counts: dict[str, int] = {}
    for scale_set in inventory.scale_sets:
        for name in set(images_of(scale_set)):
            counts[name] = counts.get(name, 0) + 1
    for machine in inventory.machines:
        name = key(machine.exact or machine.image)
        counts[name] = counts.get(name, 0) + 1
    return counts
