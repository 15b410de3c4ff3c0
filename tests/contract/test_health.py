"""Contract of Microsoft.ResourceHealth events."""

from __future__ import annotations

from typing import Any

from azure.core.rest import HttpRequest, HttpResponse

from imagebake.emulator.outages import ServiceHealthEvent
from imagebake.emulator.server import Emulator
from tests.support.emulators import SUBSCRIPTION, Azure

EVENTS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ResourceHealth/events"


def ask(arm: Azure) -> HttpResponse:
    request = HttpRequest("GET", EVENTS, params={"api-version": "2024-02-01"})
    return arm.compute.send_request(request)


def test_azure_is_well_unless_somebody_says_otherwise(arm: Azure) -> None:
    assert ask(arm).json() == {"value": []}


def test_an_incident_says_what_it_strikes_and_where(arm: Azure, emulator: Emulator) -> None:
    emulator.health = (
        ServiceHealthEvent(title="Disks are slow", regions=("West Europe", "East US")),
    )

    (event,) = ask(arm).json()["value"]

    properties: Any = event["properties"]
    assert (properties["eventType"], properties["status"]) == ("ServiceIssue", "Active")
    assert properties["title"] == "Disks are slow"
    (impact,) = properties["impact"]
    assert impact["impactedService"] == "Virtual Machines"
    regions = [region["impactedRegion"] for region in impact["impactedRegions"]]
    assert regions == ["West Europe", "East US"]
    emulator.health = ()
    assert ask(arm).json() == {"value": []}


def test_a_status_source_can_be_unreachable(arm: Azure, emulator: Emulator) -> None:
    emulator.fail("GET", "*/Microsoft.ResourceHealth/events", status=503)

    assert ask(arm).status_code == 503
    assert ask(arm).status_code == 200
