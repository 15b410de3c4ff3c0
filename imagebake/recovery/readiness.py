"""What a recovery would miss: replicas, a way back, copies, a bin for what is deleted."""

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
    """What a recovery would miss, and the command that brings it."""

    subject: str
    what: str
    command: str

    def to_json(self) -> dict[str, str]:
        """What is missing, for programs."""
        return {"subject": self.subject, "what": self.what, "command": self.command}


def find_gaps(
    spec: ImageSpec, first: Inventory, second: Inventory | None, to: SecondGallery | None
) -> tuple[RecoveryGap, ...]:
    """Everything that is missing for *spec*'s image: replicas, a way back, copies."""
    rings = rings_of(spec, VersionIndex(first))
    if not rings.versions:
        why = "it was never baked"
        return (RecoveryGap(subject=spec.name, what=why, command=f"./inv bake {spec.name}"),)
    found = [lack for ring in rings.rings for lack in _ring_lacks(spec, rings, ring)]
    if to is None or second is None:
        return tuple(found)
    there = {key(one.id): one for one in second.versions}
    for one in versions_for_recovery(rings):
        if told := copy_defects(one, there.get(key(to.place_of(one.id)))):
            what = f"its copy in gallery {name_of(to.gallery)}: {'; '.join(told)}"
            command = f"./inv dr copy {spec.name}"
            found.append(RecoveryGap(subject=spoken(one.id), what=what, command=command))
    return tuple(found)


def _ring_lacks(spec: ImageSpec, rings: Rings, ring: Ring) -> Iterable[RecoveryGap]:
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
    for one in good[:2]:
        late = sorted(name for name in ring.regions if one.regions.get(name) != COMPLETED)
        if late:
            yield RecoveryGap(
                subject=subject,
                what=f"{one.version} has no complete replica in {', '.join(late)}",
                command=f"./inv promote {spoken(one.id)} --ring {ring.name}",
            )


def find_general_gaps(
    first: Inventory, second: Inventory | None, places: tuple[str, str]
) -> tuple[RecoveryGap, ...]:
    """What is missing whatever the image: *places* are the regions of the two galleries."""
    found = []
    for one in (first, second):
        if one is not None and not one.soft_delete:
            name, group = name_of(one.gallery), one.gallery.split("/")[4]
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
    """A gallery that is not there: nothing was baked yet, or somebody deleted it."""
    return RecoveryGap(subject=f"gallery {gallery}", what="there is none", command=command)


def unreadable_gallery(gallery: str, why: str, command: str) -> RecoveryGap:
    """A gallery that could not be read: nothing else can be said of it."""
    return RecoveryGap(subject=f"gallery {gallery}", what=f"it cannot be read: {why}", command=command)
