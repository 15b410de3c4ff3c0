"""Who could read or change the mirror besides us is seen from how its account is set up."""

from __future__ import annotations

from typing import Any

import pytest

from imagebake.cloud.addresses import Address
from imagebake.cloud.clients import Clients
from imagebake.cloud.exposure import exposures, judged
from imagebake.emulator.server import Emulator
from imagebake.errors import CloudError
from tests.support.cloud import an_endpoint, quick

ADDRESS = Address("https://acme.blob.core.windows.net/mirror")
CLOSED = {
    "allowBlobPublicAccess": False,
    "allowSharedKeyAccess": False,
    "publicNetworkAccess": "Disabled",
    "supportsHttpsTrafficOnly": True,
}
RESOURCES, STORAGE = "api-version=2021-04-01", "api-version=2024-01-01"
POLICY = {
    "enabled": True,
    "immutabilityPolicy": {
        "state": "Unlocked",
        "immutabilityPeriodSinceCreationInDays": 180,
        "allowProtectedAppendWrites": False,
    },
}
IMMUTABLE = {"publicAccess": "None", "hasImmutabilityPolicy": True}


def told(account: dict[str, Any], container: dict[str, Any]) -> list[str]:
    found = judged({"properties": CLOSED | account}, {"properties": IMMUTABLE | container}, ADDRESS)
    return [f"{one.what} | {one.mend}" for one in found]


def test_a_closed_account_has_nothing_to_complain_about() -> None:
    assert told({}, {}) == []


@pytest.mark.parametrize(
    ("account", "container", "what"),
    [
        ({"allowBlobPublicAccess": True}, {}, "lets containers be public | az storage account"),
        ({}, {"publicAccess": "Blob"}, "anybody reads it without a token | az storage container"),
        ({"allowSharedKeyAccess": None}, {}, "whoever knows one may do everything | az storage"),
        ({"publicNetworkAccess": None}, {}, "can be reached from every network | az storage"),
        ({"supportsHttpsTrafficOnly": False}, {}, "answers without encryption | az storage"),
        ({}, {"hasImmutabilityPolicy": False}, "can be changed and deleted | ./inv bootstrap"),
    ],
)
def test_what_is_open_is_said_with_the_command_that_closes_it(
    account: dict[str, Any], container: dict[str, Any], what: str
) -> None:
    (found,) = told(account, container)

    assert what in found


def test_a_network_that_only_some_are_in_is_closed() -> None:
    some = {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Deny"}}

    assert told(some, {}) == []


UNLOCKED = {"state": "Unlocked", "immutabilityPeriodSinceCreationInDays": 180}


@pytest.mark.parametrize(
    ("account", "container"),
    [
        ({}, {"immutabilityPolicy": {"properties": UNLOCKED}}),
        ({"immutableStorageWithVersioning": {"enabled": True, "immutabilityPolicy": UNLOCKED}}, {}),
    ],
)
def test_a_policy_of_the_account_or_of_the_container_will_do(
    account: dict[str, Any], container: dict[str, Any]
) -> None:
    assert told(account, {"hasImmutabilityPolicy": False} | container) == []


def test_versions_without_a_policy_protect_nothing() -> None:
    enabled = {"immutableStorageWithVersioning": {"enabled": True}}

    assert told(enabled, {"hasImmutabilityPolicy": False} | enabled)


def test_an_account_that_cannot_be_seen_is_an_answer_too(emulator: Emulator) -> None:
    with (
        Clients(an_endpoint(emulator.url, emulator.ca), quick()) as clients,
        pytest.raises(CloudError, match="cannot see how the storage account acme is set up"),
    ):
        exposures(clients, ADDRESS)


def test_whoever_opens_a_mirror_is_found_out(emulator: Emulator) -> None:
    with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as clients:
        group = clients.endpoint.group_id
        clients.send("make a group", "PUT", f"{group}?{RESOURCES}", {"location": "westeurope"})
        account = f"{group}/providers/Microsoft.Storage/storageAccounts/acme"
        container = f"{account}/blobServices/default/containers/mirror"
        closed = CLOSED | {"immutableStorageWithVersioning": POLICY}
        opened = closed | {"allowBlobPublicAccess": True}
        findings = []
        for properties in (closed, opened):
            body = {
                "location": "westeurope",
                "kind": "StorageV2",
                "sku": {"name": "Standard_ZRS"},
                "properties": properties,
            }
            clients.send("make an account", "PUT", f"{account}?{STORAGE}", body)
            inside = {"properties": {"publicAccess": "None"}}
            clients.send("make a container", "PUT", f"{container}?{STORAGE}", inside)
            findings.append([one.what for one in exposures(clients, ADDRESS)])

    assert findings == [[], ["the account lets containers be public"]]
