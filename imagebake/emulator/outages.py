"""Outages: lost regions, VM services out of order, and Microsoft.ResourceHealth/events.

A file in the state directory declares them, so that every process that shares the directory sees
the same outage.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route, stamp
from imagebake.emulator.errors import ArmError
from imagebake.emulator.store import Session
from imagebake.kernel.host.files import write_atomically

_KIND = "Microsoft.ResourceHealth/events"
FILE = "outages.json"
# Long, so that no client keeps retrying while the region is lost.
_RETRY_AFTER_AN_HOUR = {"Retry-After": "3600"}
_PROVIDER, _DEPTH = "/providers/", 3
"""Provider namespace, type and name: the segments that identify the top-level resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealthEvent:
    """A service health event; *regions* are spelled as in Azure's portal."""

    title: str
    regions: tuple[str, ...] = ("West Europe",)
    services: tuple[str, ...] = ("Virtual Machines",)
    kind: str = "ServiceIssue"
    status: str = "Active"
    name: str = "BC_1-FXZ"


class ResourceHealthRoutes:
    """The current service health events; assign `incidents` to change them."""

    def __init__(self) -> None:
        self.incidents: tuple[ServiceHealthEvent, ...] = ()

    def list_events(self, call: Call) -> Reply:
        """List the events of a subscription, all on one page."""
        return Reply(200, {"value": [_health_event(event, call) for event in self.incidents]})

    def routes(self) -> tuple[Route, ...]:
        """Return the route of the events."""
        rule = "/subscriptions/<subscription>/providers/microsoft.resourcehealth/events"
        return (Route("GET", rule, self.list_events),)


def _health_event(incident: ServiceHealthEvent, call: Call) -> dict[str, Any]:
    subscription = call.names["subscription"]
    now = stamp(call.now)
    places = [
        {
            "impactedRegion": region,
            "status": incident.status,
            "impactedSubscriptions": [subscription],
            "lastUpdateTime": now,
        }
        for region in incident.regions
    ]
    return {
        "id": f"/subscriptions/{subscription}/providers/{_KIND}/{incident.name}",
        "name": incident.name,
        "type": f"/providers/{_KIND}",
        "properties": {
            "eventType": incident.kind,
            "eventSource": "ServiceHealth",
            "status": incident.status,
            "title": incident.title,
            "summary": incident.title,
            "level": "Warning",
            "lastUpdateTime": now,
            "impact": [
                {"impactedService": service, "impactedRegions": places}
                for service in incident.services
            ],
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outages:
    """Regions where every request fails, and the service health events.

    *store* and *identity* are the states of the VMs' extension store and identity service, in the
    terms of the VM host.
    """

    lost: frozenset[str] = frozenset()
    incidents: tuple[ServiceHealthEvent, ...] = ()
    store: str = "up"
    identity: str = "none"

    @classmethod
    def read(cls, folder: Path) -> Outages:
        """Read the outages that *folder* declares; none if it has no file."""
        try:
            document: Mapping[str, Any] = json.loads((folder / FILE).read_bytes())
        except FileNotFoundError:
            return cls()
        incidents = tuple(
            ServiceHealthEvent(
                **event | {"regions": tuple(event["regions"]), "services": tuple(event["services"])}
            )
            for event in document.get("incidents", ())
        )
        services = {name: str(document[name]) for name in ("store", "identity") if name in document}
        return cls(lost=frozenset(document.get("lost", ())), incidents=incidents, **services)

    def write(self, folder: Path) -> None:
        """Declare the outages for every emulator that starts in *folder* from now on."""
        document = {
            "lost": sorted(self.lost),
            "incidents": [dataclasses.asdict(event) for event in self.incidents],
            "store": self.store,
            "identity": self.identity,
        }
        write_atomically(folder / FILE, json.dumps(document).encode())

    @staticmethod
    def end(folder: Path) -> None:
        """Remove the declaration."""
        (folder / FILE).unlink(missing_ok=True)


def require_region(session: Session, path: str, body: object, lost: frozenset[str]) -> None:
    """Refuse requests about resources in, or created in, a region that is *lost*: 503."""
    if not lost or _PROVIDER not in path:
        return
    scope, _, rest = path.rpartition(_PROVIDER)
    owner = f"{scope}{_PROVIDER}{'/'.join(rest.split('/')[:_DEPTH])}"
    # Lists of the subscription still contain the resource.
    found = session.find(owner)
    asked = body.get("location") if isinstance(body, Mapping) else None
    for place in (found.body.get("location") if found else None, asked):
        if isinstance(place, str) and place.replace(" ", "").lower() in lost:
            raise ArmError(
                503,
                "ServiceUnavailable",
                f"The service is unavailable in region '{place}'. Please try again later.",
                headers=_RETRY_AFTER_AN_HOUR,
            )
