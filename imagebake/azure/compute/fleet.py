"""A gallery and its consumers: everything that a rollout reads and writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.requests import pages
from imagebake.azure.client.serialize import region_name
from imagebake.azure.compute.galleries import GalleryVersionClient, deleted
from imagebake.azure.compute.inventory import InventoryReader
from imagebake.azure.compute.scale_sets import ScaleSetClient
from imagebake.azure.model.fleet import Inventory, ScaleSet, UpgradeState
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.kernel.errors import CloudError

_TAGS_API = "2021-04-01"
_HEALTH_API = "2024-02-01"


@dataclass(frozen=True, slots=True)
class ResourceTags:
    """The tags of a resource; each write changes only the tags that it names."""

    clients: Clients
    resource_id: str

    def read(self) -> dict[str, str]:
        """Return all tags."""
        return self._tags("read", "GET")

    def merge(self, tags: Mapping[str, str]) -> None:
        """Set *tags* and leave all others."""
        if tags:
            self._tags("set", "PATCH", _patch("Merge", tags))

    def delete(self, names: Iterable[str]) -> None:
        """Remove the tags *names*, where they exist."""
        if gone := dict.fromkeys(sorted(names), ""):
            self._tags("remove", "PATCH", _patch("Delete", gone))

    def _tags(self, verb: str, method: str, body: dict[str, Any] | None = None) -> dict[str, str]:
        path = (
            f"{self.resource_id}/providers/Microsoft.Resources/tags/default?api-version={_TAGS_API}"
        )
        name = self.resource_id.rpartition("/providers/")[2] or self.resource_id
        answer = self.clients.send(f"{verb} tags of {name}", method, path, body)
        return dict(((answer or {}).get("properties") or {}).get("tags") or {})


def _patch(operation: str, tags: Mapping[str, str]) -> dict[str, Any]:
    return {"operation": operation, "properties": {"tags": dict(tags)}}


HEALTHY = "healthy"
_SERVICES = (
    "azure resource manager",
    "virtual machine",
    "azure compute gallery",
    "storage",
    "managed identit",
    "entra",
    "active directory",
)
"""Parts of the names of the services that creating and moving machines depends on."""
# Services without regions report `Global`, or no region at all.
_EVERYWHERE = ("global", "")
_ANYWHERE: Mapping[str, Any] = {}


def health(clients: Clients, regions: Iterable[str]) -> str | None:
    """Return `healthy`, or the active incidents in *regions*; None when they cannot be read."""
    subscription = f"/subscriptions/{clients.endpoint.subscription}"
    path = f"{subscription}/providers/Microsoft.ResourceHealth/events?api-version={_HEALTH_API}"
    try:
        events = pages(clients, "read the service health events", path)
    except CloudError:
        return None
    wrong = incidents(events, regions)
    return f"incident: {'; '.join(wrong)}" if wrong else HEALTHY


def incidents(events: Iterable[Mapping[str, Any]], regions: Iterable[str]) -> tuple[str, ...]:
    """Describe the *events* that are active and affect services that we need in *regions*."""
    wanted = {region_name(region) for region in regions}
    return tuple(sorted({text for event in events if (text := _incident(event, wanted))}))


def _incident(event: Mapping[str, Any], regions: set[str]) -> str:
    """Return the title of *event* with the affected services; empty where it is not ours."""
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
    """The gallery of that name in the endpoint's resource group, and its consumers.

    Every write may be repeated without further effect. *now* dates what is read. Scale sets
    on the galleries *kin*, given by their ids, are read as well.
    """

    clients: Clients
    gallery: str
    now: Callable[[], dt.datetime]
    kin: tuple[str, ...] = ()

    def inventory(
        self, images: tuple[str, ...] | None = None, *, consumers: bool = True
    ) -> Inventory:
        """Read the inventory of *images* (None: of all), with their *consumers*.

        Parts that could not be read, or were not asked for, are in `unread`: nothing may be
        deleted without them.
        """
        reading = InventoryReader(self.clients, self.gallery, self.now, self.kin)
        return reading.all(images, consumers=consumers)

    def definition_tags(self, definition: str) -> dict[str, str]:
        """Return the tags of an image definition."""
        gallery_id = self.clients.endpoint.gallery_id(self.gallery)
        return self.tags(f"{gallery_id}/images/{definition}").read()

    def tags(self, resource_id: str) -> ResourceTags:
        """Return the client for the tags of a resource."""
        return ResourceTags(self.clients, resource_id)

    def merge_tags(self, resource_id: str, tags: Mapping[str, str]) -> None:
        """Set tags and leave all others."""
        self.tags(resource_id).merge(tags)

    def delete_tags(self, resource_id: str, names: Iterable[str]) -> None:
        """Remove tags, where they exist."""
        self.tags(resource_id).delete(names)

    def version(self, version_id: str) -> GalleryVersion | None:
        """Return a version with the state of its replicas; None where it does not exist."""
        return GalleryVersionClient(self.clients, version_id).read()

    def replicas(self, version_id: str) -> Mapping[str, str]:
        """Return the state of each region's replicas; none where the version is missing."""
        found = self.version(version_id)
        return found.regions if found else {}

    def publish(self, version_id: str, replicas: Mapping[str, int], hidden: frozenset[str]) -> None:
        """Request replicas in these regions and no others, hidden in those of *hidden*."""
        GalleryVersionClient(self.clients, version_id).publish(replicas, hidden)

    def set_shown(self, version_id: str, shown: frozenset[str]) -> None:
        """Include the version in `latest` in *shown* and nowhere else."""
        GalleryVersionClient(self.clients, version_id).show(shown)

    def set_end_of_life(self, version_id: str, when: dt.datetime | None) -> None:
        """Set the date of a version's end of life, or remove it."""
        GalleryVersionClient(self.clients, version_id).end_of_life(when)

    def set_deletion_block(self, version_id: str, on: bool) -> None:  # noqa: FBT001 - what it is set to
        """Block the deletion of the version before its end of life, or allow it again."""
        GalleryVersionClient(self.clients, version_id).set_deletion_block(on)

    def delete(self, version_id: str) -> None:
        """Delete a version, if it exists."""
        GalleryVersionClient(self.clients, version_id).delete()

    def copy(
        self,
        version_id: str,
        source: str,
        location: str,
        replicas: Mapping[str, int],
        tags: Mapping[str, str],
    ) -> None:
        """Create a version, hidden, as a copy of the version *source* of another gallery."""
        GalleryVersionClient(self.clients, version_id).copy(source, location, replicas, tags)

    def soft_deleted_versions(self, definition: str) -> tuple[str, ...]:
        """Return the ids of the definition's soft-deleted versions."""
        gallery_id = self.clients.endpoint.gallery_id(self.gallery)
        return deleted(self.clients, f"{gallery_id}/images/{definition}")

    def restore(self, version_id: str) -> None:
        """Restore a soft-deleted version."""
        GalleryVersionClient(self.clients, version_id).restore()

    def scale_set(self, scale_set_id: str) -> ScaleSet | None:
        """Return a scale set without its instances; None where it does not exist."""
        return ScaleSetClient(self.clients, scale_set_id).read()

    def move(
        self,
        scale_set_id: str,
        version_id: str,
        etag: str,
        max_unavailable_percent: int,
        *,
        max_unhealthy_percent: int | None = None,
    ) -> None:
        """Write the image *version_id* into the model, if its etag still is *etag*."""
        ScaleSetClient(self.clients, scale_set_id).move(
            version_id,
            etag,
            max_unavailable_percent,
            max_unhealthy_percent=max_unhealthy_percent,
        )

    def start_upgrade(self, scale_set_id: str) -> None:
        """Start a rolling upgrade of the instances to the model."""
        ScaleSetClient(self.clients, scale_set_id).start_upgrade()

    def cancel_upgrade(self, scale_set_id: str) -> None:
        """Cancel the rolling upgrade after its current batch."""
        ScaleSetClient(self.clients, scale_set_id).cancel_upgrade()

    def upgrade(self, scale_set_id: str) -> UpgradeState:
        """Return the state of the last rolling upgrade."""
        return ScaleSetClient(self.clients, scale_set_id).upgrade()

    def health(self, regions: Iterable[str]) -> str | None:
        """Return `healthy`, or the active incidents in *regions*; None when they are unknown."""
        return health(self.clients, regions)

    def ramp_up(self) -> None:
        """Release the following requests in steps: after an incident all clients return."""
        self.clients.throttle.ramp_up()

    def metrics(self) -> Mapping[str, Any]:
        """Return the requests sent to Azure and the time that they waited, as JSON."""
        return self.clients.metrics().to_json()
