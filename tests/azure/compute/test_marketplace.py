"""Marketplace versions by region, read by the real client from the emulator."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.marketplace import (
    MarketplaceSource,
    extension_versions,
    image_versions,
)
from imagebake.emulator.machines.marketplace import Marketplace
from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import CloudError
from imagebake.spec.model.candidates import Candidate, Origin, Question
from tests.support.bake_services import an_endpoint, quick
from tests.support.emulators import RecordingBuilder

AGENT = ("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent")
OFFERED = Marketplace(
    images={
        ("Debian", "debian-12", "12-gen2"): {
            "0.20260914.2237": {"hyperVGeneration": "V2"},
            "0.20261101.2301": {"regions": ["westeurope"]},
            "0.20250101.1": {"imageDeprecationStatus": {"imageState": "Deprecated"}},
        }
    },
    extensions={
        AGENT: {
            "1.9.0": {},
            "1.33.1": {
                "releaseCategory": "SecurityFix",
                "urgencyLevel": "Expedited",
                "releaseNotes": "Mends\n a hole",
                "regions": ["West Europe"],
            },
        }
    },
)
REGIONS = ("westeurope", "northeurope")


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(
        tmp_path / "emulator", builder=RecordingBuilder(), marketplace=OFFERED
    ) as running:
        yield running


@pytest.fixture
def clients(emulator: Emulator) -> Iterator[Clients]:
    with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as made:
        yield made


def ask(clients: Clients, origin: Origin, *names: str) -> dict[str, Candidate]:
    question = Question(origin=origin, names=names, regions=REGIONS)
    found = MarketplaceSource(lambda: clients).candidates(question)
    return {one.version: one for one in found}


def test_a_version_that_a_region_lacks_says_so(clients: Clients) -> None:
    found = ask(clients, Origin.EXTENSIONS, *AGENT)

    assert found["1.9.0"].missing == ()
    assert found["1.33.1"].missing == ("northeurope",)


def test_what_the_publisher_says_of_a_version_comes_along(clients: Clients) -> None:
    found = ask(clients, Origin.EXTENSIONS, "microsoft.azure.monitor", "azuremonitorlinuxagent")

    mended = found["1.33.1"]
    assert (mended.category, mended.urgency, mended.notes) == (
        "SecurityFix",
        "Expedited",
        "Mends a hole",
    )
    assert mended.security
    assert (found["1.9.0"].category, found["1.9.0"].security) == ("Other", False)


def test_the_day_of_an_image_stands_in_its_version(clients: Clients) -> None:
    found = ask(clients, Origin.IMAGES, "Debian", "debian-12", "12-gen2")

    assert found["0.20260914.2237"].published == dt.date(2026, 9, 14)
    assert found["0.20261101.2301"].missing == ("northeurope",)
    assert found["0.20250101.1"].unfit == "its publisher has deprecated it"


@pytest.mark.parametrize(
    ("origin", "names"),
    [
        (Origin.EXTENSIONS, ("Nobody", "Nothing")),
        (Origin.IMAGES, ("Nobody", "nothing", "none")),
    ],
)
def test_what_nobody_offers_is_an_error(
    clients: Clients, origin: Origin, names: tuple[str, ...]
) -> None:
    with pytest.raises(CloudError, match="the marketplace has no Nobody:") as caught:
        ask(clients, origin, *names)

    assert caught.value.message.endswith("in westeurope, northeurope")
    assert caught.value.hint


def test_an_unreachable_cloud_is_an_error(clients: Clients, emulator: Emulator) -> None:
    emulator.fail("GET", "*/vmextension/*", status=503, code="ServerBusy", times=99)

    with pytest.raises(CloudError):
        ask(clients, Origin.EXTENSIONS, *AGENT)


def test_a_region_that_offers_nothing_is_no_error_by_itself(clients: Clients) -> None:
    assert extension_versions(clients, "westeurope", "Nobody", "Nothing") == {}
    assert image_versions(clients, "westeurope", "Nobody", "nothing", "none") == {}


def test_only_properties_are_expanded(clients: Clients) -> None:
    call: Any = clients.compute.virtual_machine_extension_images.list_versions

    with pytest.raises(CloudError, match=r"\$expand"):
        clients.ask("look", call, "westeurope", *AGENT, expand="everything")
