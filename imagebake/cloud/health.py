"""What Azure says about its own health: incidents in the regions and services that we need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from imagebake.cloud.clients import Clients
from imagebake.cloud.paging import pages
from imagebake.cloud.wire import region_name
from imagebake.kernel.errors import CloudError

HEALTHY = "healthy"
_API = "2024-02-01"
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
