"""Readiness for a recovery: missing replicas, rollback targets, copies and soft delete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.resources.resource_ids import key, name_of, spoken
from imagebake.recovery.second_gallery import SecondGallery, copy_defects, versions_for_recovery
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.rings import Rings
from imagebake.rollout.promote import COMPLETED, rings_of
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.rings import Ring


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryGap:
    """A gap that a recovery would meet, and the command that closes it."""

    subject: str
    what: str
    command: str

    def to_json(self) -> dict[str, str]:
        """Return the gap for `--json`."""
        return {"subject": self.subject, "what": self.what, "command": self.command}


def find_gaps(
    spec: ImageSpec, first: Inventory, second: Inventory | None, to: SecondGallery | None
) -> tuple[RecoveryGap, ...]:
    """Find the gaps of *spec*'s image: replicas, rollback targets, copies."""
    rings = rings_of(spec, VersionIndex(first))
    if not rings.versions:
        why = "it was never baked"
        return (RecoveryGap(subject=spec.name, what=why, command=f"./inv bake {spec.name}"),)
    found = [gap for ring in rings.rings for gap in _ring_gaps(spec, rings, ring)]
    if to is None or second is None:
        return tuple(found)
    copies = {key(version.id): version for version in second.versions}
    for version in versions_for_recovery(rings):
        if defects := copy_defects(version, copies.get(key(to.place_of(version.id)))):
            what = f"its copy in gallery {name_of(to.gallery)}: {'; '.join(defects)}"
            command = f"./inv dr copy {spec.name}"
            found.append(RecoveryGap(subject=spoken(version.id), what=what, command=command))
    return tuple(found)


def _ring_gaps(spec: ImageSpec, rings: Rings, ring: Ring) -> Iterable[RecoveryGap]:
    subject = f"{spec.name}, ring {ring.name}"
    good = [seat.version for seat in rings.history(ring.name) if rings.good(seat.version, ring)]
    promote = f"./inv promote {spec.name} --ring {ring.name}"
    if not good:
        yield RecoveryGap(subject=subject, what="no good version is current", command=promote)
        return
    if len(good) == 1:
        yield RecoveryGap(
            subject=subject,
            what=f"no good version before {good[0].version} to go back to",
            command=f"./inv bake {spec.name} --force",
        )
    for version in good[:2]:
        late = sorted(name for name in ring.regions if version.regions.get(name) != COMPLETED)
        if late:
            yield RecoveryGap(
                subject=subject,
                what=f"{version.version} has no complete replica in {', '.join(late)}",
                command=f"./inv promote {spoken(version.id)} --ring {ring.name}",
            )


def find_general_gaps(
    first: Inventory, second: Inventory | None, places: tuple[str, str]
) -> tuple[RecoveryGap, ...]:
    """Find the gaps of any image; *places* are the regions of the two galleries."""
    found = []
    for gallery in (first, second):
        if gallery is not None and not gallery.soft_delete:
            name, group = name_of(gallery.gallery), gallery.gallery.split("/")[4]
            found.append(
                RecoveryGap(
                    subject=f"gallery {name}",
                    what="what is deleted is gone at once",
                    command=f"az sig update -g {group} -r {name} --soft-delete true",
                )
            )
    if second is None:
        what = "there is no second gallery"
        command = "set second_gallery and second_location in imagebake.yaml; then ./inv dr copy"
        found.append(RecoveryGap(subject="settings", what=what, command=command))
    elif places[0] == places[1]:
        what = f"both galleries are in {places[0]}"
        command = "set second_location in imagebake.yaml to another region"
        found.append(RecoveryGap(subject="settings", what=what, command=command))
    return tuple(found)


def missing_gallery(gallery: str, command: str) -> RecoveryGap:
    """Return the gap of a gallery that does not exist: never baked into, or deleted."""
    return RecoveryGap(subject=f"gallery {gallery}", what="there is none", command=command)


def unreadable_gallery(gallery: str, why: str, command: str) -> RecoveryGap:
    """Return the gap of a gallery that cannot be read, so that nothing else is known of it."""
    return RecoveryGap(
        subject=f"gallery {gallery}", what=f"it cannot be read: {why}", command=command
    )
