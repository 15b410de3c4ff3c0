from __future__ import annotations

from typing import Any

import pytest

from imagebake.azure.compute.fleet import incidents
from imagebake.emulator.server import Emulator
from tests.support.live_fleets import a_fleet


def an_event(*places: tuple[str, str], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """An event as Azure lists it, which strikes services in regions."""
    impact = [
        {
            "impactedService": service,
            "impactedRegions": [{"impactedRegion": region, "status": "Active"}],
        }
        for service, region in places
    ]
    properties = {
        "eventType": "ServiceIssue",
        "status": "Active",
        "title": "Trouble with storage.",
        "impact": impact,
    }
    return {"name": "ABCD-123", "properties": properties | changes}


@pytest.mark.parametrize(
    "event",
    [
        an_event(("Virtual Machines", "West Europe")),
        an_event(("Azure Resource Manager", "Global")),
        an_event(("Cosmos DB", "West Europe"), ("Storage", "West Europe")),
    ],
)
def test_an_active_issue_of_what_we_need_is_an_incident(event: dict[str, Any]) -> None:
    (message,) = incidents([event], ["westeurope"])

    assert message.startswith("ABCD-123: Trouble with storage (")


def test_an_issue_that_strikes_nothing_in_particular_strikes_us() -> None:
    assert incidents([an_event()], ["westeurope"]) == ("ABCD-123: Trouble with storage",)


@pytest.mark.parametrize(
    "event",
    [
        an_event(("Virtual Machines", "East US")),
        an_event(("Cosmos DB", "West Europe")),
        an_event(("Virtual Machines", "West Europe"), status="Resolved"),
        an_event(("Virtual Machines", "West Europe"), eventType="PlannedMaintenance"),
        an_event(
            impact=[
                {
                    "impactedService": "Virtual Machines",
                    "impactedRegions": [{"impactedRegion": "West Europe", "status": "Resolved"}],
                }
            ]
        ),
        {"name": "empty"},
    ],
)
def test_other_events_are_none(event: dict[str, Any]) -> None:
    assert incidents([event], ["westeurope"]) == ()


def test_a_source_that_does_not_answer_is_never_healthy(emulator: Emulator) -> None:
    emulator.fail("GET", "*/Microsoft.ResourceHealth/events", status=503, times=99)

    with a_fleet(emulator) as fleet:
        assert fleet.health(["westeurope"]) is None
