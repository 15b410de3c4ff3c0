"""A gallery and whoever uses it: everything that a rollout reads and writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.requests import pages
from imagebake.azure.client.serialize import region_name
from imagebake.azure.compute.gallery_versions import Version, deleted
from imagebake.azure.compute.inventory import Reading
from imagebake.azure.compute.scale_sets import ScaleSetHands
from imagebake.azure.model.fleet import Inventory, ScaleSet, UpgradeState
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.kernel.errors import CloudError

_API = "2021-04-01"


@dataclass(frozen=True, slots=True)
class ResourceTags:
    """The tags of one resource, of which each write changes only those that it names."""

    clients: Clients
    resource_id: str

    def read(self) -> dict[str, str]:
        """All tags as they are now."""
        return self._tags("read", "GET")

    def merge(self, tags: Mapping[str, str]) -> None:
        """Set *tags* and leave all others."""
        if tags:
            self._tags("set", "PATCH", _patch("Merge", tags))

    def delete(self, names: Iterable[str]) -> None:
        """Take the tags *names* away, where they are there."""
        if gone := dict.fromkeys(sorted(names), ""):
            self._tags("remove", "PATCH", _patch("Delete", gone))

    def _tags(self, verb: str, method: str, body: dict[str, Any] | None = None) -> dict[str, str]:
        path = f"{self.resource_id}/providers/Microsoft.Resources/tags/default?api-version={_API}"
        name = self.resource_id.rpartition("/providers/")[2] or self.resource_id
        answer = self.clients.send(f"{verb} tags of {name}", method, path, body)
        return dict(((answer or {}).get("properties") or {}).get("tags") or {})


def _patch(operation: str, tags: Mapping[str, str]) -> dict[str, Any]:
    return {"operation": operation, "properties": {"tags": dict(tags)}}


HEALTHY = "healthy"
_API_of_health = "2024-02-01"
_SERVICES = (
    "azure resource manager",
    "virtual machine",
    "azure compute gallery",
    "storage",
    "managed identit",
    "entra",
    "active directory",
)
"""Parts of the names of the services without which machines are not made or moved."""
_EVERYWHERE = ("global", "")
_ANYWHERE: Mapping[str, Any] = {}


def health(clients: Clients, regions: Iterable[str]) -> str | None:
    """`healthy`, or what is wrong in *regions*; None when nobody could be asked."""
    subscription = f"/subscriptions/{clients.endpoint.subscription}"
    path = f"{subscription}/providers/Microsoft.ResourceHealth/events?api-version={_API}"
    try:
        events = pages(clients, "read the service health events", path)
    except CloudError:
        return None
    wrong = incidents(events, regions)
    return f"incident: {'; '.join(wrong)}" if wrong else HEALTHY


def incidents(events: Iterable[Mapping[str, Any]], regions: Iterable[str]) -> tuple[str, ...]:
    """What of *events* goes on now and strikes what we need in *regions*, in words."""
    wanted = {region_name(region) for region in regions}
    return tuple(sorted({said for event in events if (said := _incident(event, wanted))}))


def _incident(event: Mapping[str, Any], regions: set[str]) -> str:
    """What *event* means for us: nothing, or its title with what it strikes."""
    properties = event.get("properties") or {}
    if properties.get("eventType") != "ServiceIssue" or properties.get("status") != "Active":
        return ""
    struck = [
        f"{impact.get('impactedService')} in {place.get('impactedRegion') or 'every region'}"
        for impact in properties.get("impact") or ()
        for place in impact.get("impactedRegions") or (_ANYWHERE,)
        if _concerns(impact, place, regions)
    ]
    if not struck and properties.get("impact"):
        return ""
    title = str(properties.get("title") or "an active service issue").rstrip(".")
    number = f"{event['name']}: " if event.get("name") else ""
    return f"{number}{title}" + (f" ({', '.join(struck)})" if struck else "")


def _concerns(impact: Mapping[str, Any], place: Mapping[str, Any], regions: set[str]) -> bool:
    if place.get("status") == "Resolved":
        return False
    service = str(impact.get("impactedService") or "").lower()
    region = region_name(str(place.get("impactedRegion") or ""))
    ours = not service or any(part in service for part in _SERVICES)
    return ours and (region in regions or region in _EVERYWHERE)


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
