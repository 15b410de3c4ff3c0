"""What Azure says of its own health: Microsoft.ResourceHealth/events, as somebody set it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route, stamp

_KIND = "Microsoft.ResourceHealth/events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that is broken, or under maintenance: *regions* as Azure's portal names them."""

    title: str
    regions: tuple[str, ...] = ("West Europe",)
    services: tuple[str, ...] = ("Virtual Machines",)
    kind: str = "ServiceIssue"
    status: str = "Active"
    name: str = "BC_1-FXZ"


class Health:
    """The events there are; replaced as a whole."""

    def __init__(self) -> None:
        self.incidents: tuple[Incident, ...] = ()

    def list_events(self, call: Call) -> Reply:
        """List the events of a subscription, all on one page."""
        return Reply(200, {"value": [_event(one, call) for one in self.incidents]})

    def routes(self) -> tuple[Route, ...]:
        """The route of the events."""
        rule = "/subscriptions/<subscription>/providers/microsoft.resourcehealth/events"
        return (Route("GET", rule, self.list_events),)


def _event(incident: Incident, call: Call) -> dict[str, Any]:
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
