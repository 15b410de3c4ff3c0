"""Whoever opens the mirror's account is found out, by how Resource Manager shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imagebake.azure.blob.exposure import exposure_of
from imagebake.azure.client.clients import Clients
from imagebake.emulator.server import Emulator
from tests.support.bake_services import an_endpoint, quick

RESOURCES, STORAGE = "api-version=2021-04-01", "api-version=2024-01-01"
POLICY = {
    "state": "Unlocked",
    "immutabilityPeriodSinceCreationInDays": 180,
    "allowProtectedAppendWrites": False,
}
CLOSED = {
    "allowBlobPublicAccess": False,
    "allowSharedKeyAccess": False,
    "publicNetworkAccess": "Disabled",
    "minimumTlsVersion": "TLS1_2",
    "immutableStorageWithVersioning": {"enabled": True, "immutabilityPolicy": POLICY},
}

Look = Callable[..., list[str]]


@pytest.fixture
def look(emulator: Emulator) -> Iterator[Look]:
    """Create a mirror's account with some properties, and return the findings about it."""
    with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as clients:
        group = clients.endpoint.group_id
        clients.send("make a group", "PUT", f"{group}?{RESOURCES}", {"location": "westeurope"})

        def make(**changes: Any) -> list[str]:  # noqa: ANN401 - any property
            account = f"{group}/providers/Microsoft.Storage/storageAccounts/acme"
            body = {
                "location": "westeurope",
                "kind": "StorageV2",
                "sku": {"name": "Standard_ZRS"},
                "properties": CLOSED | changes,
            }
            clients.send("make an account", "PUT", f"{account}?{STORAGE}", body)
            found = exposure_of(clients, account)
            return [one.what for one in found if "private endpoint" not in one.what]

        yield make


def test_a_closed_account_has_nothing_to_complain_about(look: Look) -> None:
    assert look() == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"allowBlobPublicAccess": True}, "may have containers that are readable without a token"),
        ({"allowSharedKeyAccess": True}, "can be written with an account key"),
        ({"publicNetworkAccess": "Enabled"}, "can be reached from the internet"),
        ({"immutableStorageWithVersioning": None}, "has no immutability policy"),
    ],
)
def test_whoever_opens_a_mirror_is_found_out(
    look: Look, changes: dict[str, Any], what: str
) -> None:
    (found,) = look(**changes)

    assert what in found


def test_an_account_that_is_not_there_is_a_complaint(emulator: Emulator) -> None:
    with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as clients:
        nowhere = f"{clients.endpoint.group_id}/providers/Microsoft.Storage/storageAccounts/acme"

        (found,) = exposure_of(clients, nowhere)

    assert "is not there" in found.what
