"""A gallery and whoever uses it: everything that a rollout reads and writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.cloud.clients import Clients
from imagebake.cloud.health import health
from imagebake.cloud.inventory import Reading
from imagebake.cloud.scale_sets import ScaleSetHands
from imagebake.cloud.tags import ResourceTags
from imagebake.cloud.versions import Version, deleted
from imagebake.model.fleet import Inventory, ScaleSet, UpgradeState
from imagebake.model.gallery import GalleryVersion


@dataclass(frozen=True, slots=True)
class Fleet:
    """The gallery of that name in the endpoint's resource group, and its subscription's fleets.

    Every hand may be used twice with the effect of once. *now* dates what is read. Scale sets
    on the galleries *kin*, by their ids, are read as well.
    """

    clients: Clients
    gallery: str
    now: Callable[[], dt.datetime]
    kin: tuple[str, ...] = ()

    def inventory(
        self, images: tuple[str, ...] | None = None, *, consumers: bool = True
    ) -> Inventory:
        """What there is of *images* (None: of all), and whoever uses them.

        What could not be read is in `unread`; so is what was not asked for, because nothing
        may be deleted without it.
        """
        reading = Reading(self.clients, self.gallery, self.now, self.kin)
        return reading.all(images, consumers=consumers)

    def definition_tags(self, definition: str) -> dict[str, str]:
        """The tags of an image definition as they are now."""
        gallery_id = self.clients.endpoint.gallery_id(self.gallery)
        return self.tags(f"{gallery_id}/images/{definition}").read()

    def tags(self, resource_id: str) -> ResourceTags:
        """The tags of a resource."""
        return ResourceTags(self.clients, resource_id)

    def merge_tags(self, resource_id: str, tags: Mapping[str, str]) -> None:
        """Set tags and leave all others."""
        self.tags(resource_id).merge(tags)

    def delete_tags(self, resource_id: str, names: Iterable[str]) -> None:
        """Take tags away, where they are there."""
        self.tags(resource_id).delete(names)

    def version(self, version_id: str) -> GalleryVersion | None:
        """One version as it is now, with the state of its replicas; None where it is gone."""
        return Version(self.clients, version_id).read()

    def replicas(self, version_id: str) -> Mapping[str, str]:
        """The state of each region's replicas, looked at once; none where it is gone."""
        found = self.version(version_id)
        return found.regions if found else {}

    def publish(self, version_id: str, replicas: Mapping[str, int], hidden: frozenset[str]) -> None:
        """Ask for replicas in these regions and no others, in some of them *hidden*."""
        Version(self.clients, version_id).publish(replicas, hidden)

    def set_shown(self, version_id: str, shown: frozenset[str]) -> None:
        """Let `latest` mean the version in *shown* and nowhere else."""
        Version(self.clients, version_id).show(shown)

    def set_end_of_life(self, version_id: str, when: dt.datetime | None) -> None:
        """Date the end of a version's life, or take the date away."""
        Version(self.clients, version_id).end_of_life(when)

    def guard(self, version_id: str, on: bool) -> None:  # noqa: FBT001 - what it is set to
        """Have the version undeletable before its end of life, or no longer."""
        Version(self.clients, version_id).guard(on)

    def delete(self, version_id: str) -> None:
        """Delete a version, where it exists."""
        Version(self.clients, version_id).delete()

    def copy(
        self,
        version_id: str,
        source: str,
        location: str,
        replicas: Mapping[str, int],
        tags: Mapping[str, str],
    ) -> None:
        """Create a version from the version *source* of another gallery, hidden everywhere."""
        Version(self.clients, version_id).copy(source, location, replicas, tags)

    def kept(self, definition: str) -> tuple[str, ...]:
        """The ids of the definition's versions that were deleted and can be restored."""
        gallery_id = self.clients.endpoint.gallery_id(self.gallery)
        return deleted(self.clients, f"{gallery_id}/images/{definition}")

    def restore(self, version_id: str) -> None:
        """Undo a deletion, while the gallery still keeps what was deleted."""
        Version(self.clients, version_id).restore()

    def scale_set(self, scale_set_id: str) -> ScaleSet | None:
        """One scale set as it is now, without its instances; None where it is gone."""
        return ScaleSetHands(self.clients, scale_set_id).read()

    def move(
        self,
        scale_set_id: str,
        version_id: str,
        etag: str,
        max_unavailable_percent: int,
        *,
        max_unhealthy_percent: int | None = None,
    ) -> None:
        """Write another image into the model, if the model is still the one of *etag*."""
        ScaleSetHands(self.clients, scale_set_id).move(
            version_id,
            etag,
            max_unavailable_percent,
            max_unhealthy_percent=max_unhealthy_percent,
        )

    def start_upgrade(self, scale_set_id: str) -> None:
        """Bring the instances to the model, a part of them at a time."""
        ScaleSetHands(self.clients, scale_set_id).start_upgrade()

    def cancel_upgrade(self, scale_set_id: str) -> None:
        """Stop a rolling upgrade after the batch that is under way."""
        ScaleSetHands(self.clients, scale_set_id).cancel_upgrade()

    def upgrade(self, scale_set_id: str) -> UpgradeState:
        """How far the last rolling upgrade is."""
        return ScaleSetHands(self.clients, scale_set_id).upgrade()

    def health(self, regions: Iterable[str]) -> str | None:
        """`healthy`, or the incidents in *regions*; None when nobody could be asked."""
        return health(self.clients, regions)

    def ease(self) -> None:
        """Send what follows in steps: an incident has just ended, and everybody returns."""
        self.clients.throttle.ease()

    def metrics(self) -> Mapping[str, Any]:
        """What was asked of Azure, and how long it made us wait."""
        return self.clients.metrics().to_json()
