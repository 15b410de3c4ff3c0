"""Contract of identities, networks and storage accounts: validation without behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import CloudError
from tests.support.bake_services import an_endpoint, quick
from tests.support.emulators import GROUP_ID

NETWORKS = "Microsoft.Network/virtualNetworks"
ACCOUNTS = "Microsoft.Storage/storageAccounts"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
Put = Callable[..., Any]


@pytest.fixture
def put(emulator: Emulator) -> Iterator[Put]:
    with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as clients:

        def write(kind: str, name: str, location: str = "westeurope", **properties: Any) -> Any:  # noqa: ANN401
            body = {"location": location, "properties": properties}
            path = f"{GROUP_ID}/providers/{kind}/{name}?api-version=2024-01-01"
            clients.send("write", "PUT", path, body)
            return clients.send("read", "GET", path)

        yield write


def subnet(name: str, prefix: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"name": name, "properties": {"addressPrefix": prefix} | properties}


def test_networks_are_checked(put: Put) -> None:
    space = {"addressPrefixes": ["10.0.0.0/24"]}
    lost = {"id": f"{GROUP_ID}/providers/Microsoft.Network/networkSecurityGroups/lost"}

    with pytest.raises(CloudError, match="NetcfgInvalidSubnet"):
        put(NETWORKS, "n", addressSpace=space, subnets=[subnet("a", "10.0.1.0/25")])
    twice = [subnet("a", "10.0.0.0/25"), subnet("b", "10.0.0.64/26")]
    with pytest.raises(CloudError, match="NetcfgSubnetRangesOverlap"):
        put(NETWORKS, "n", addressSpace=space, subnets=twice)
    wanted = [subnet("a", "10.0.0.0/25", networkSecurityGroup=lost)]
    with pytest.raises(CloudError, match=r"InvalidResourceReference: .*lost"):
        put(NETWORKS, "n", addressSpace=space, subnets=wanted)
    made = put(NETWORKS, "n", addressSpace=space, subnets=[subnet("a", "10.0.0.0/25")])
    with pytest.raises(CloudError, match=r"InvalidResourceReference: .*/subnets/b"):
        put("Microsoft.Network/privateEndpoints", "e", subnet={"id": f"{made['id']}/subnets/b"})
    with pytest.raises(CloudError, match="LocationNotAvailableForResourceType"):
        put("Microsoft.Network/privateDnsZones", "zone.example")


def test_storage_accounts_are_checked(put: Put) -> None:
    with pytest.raises(CloudError, match="AccountNameInvalid"):
        put(ACCOUNTS, "With-Dashes")
    made = put(ACCOUNTS, "mirror", immutableStorageWithVersioning={"enabled": True})
    with pytest.raises(CloudError, match="PropertyImmutable"):
        put(ACCOUNTS, "mirror", immutableStorageWithVersioning={"enabled": False})
    link = {"name": "m", "properties": {"privateLinkServiceId": made["id"], "groupIds": ["blob"]}}
    put("Microsoft.Network/privateEndpoints", "e", privateLinkServiceConnections=[link])
    shown = put(ACCOUNTS, "mirror", allowSharedKeyAccess=False)["properties"]

    assert shown["publicNetworkAccess"] == "Enabled"  # what nobody closed is open
    assert shown["immutableStorageWithVersioning"] == {"enabled": True}
    (connection,) = shown["privateEndpointConnections"]
    state = connection["properties"]["privateLinkServiceConnectionState"]
    assert state["status"] == "Approved"


def test_federated_credentials_are_checked(put: Put) -> None:
    kind = f"{IDENTITIES}/one/federatedIdentityCredentials"
    credential = {"issuer": "https://a.example", "subject": "me", "audiences": ["api://x"]}

    with pytest.raises(CloudError, match="ParentResourceNotFound"):
        put(kind, "c", **credential)
    put(IDENTITIES, "one")
    with pytest.raises(CloudError, match="Required property 'subject' is missing"):
        put(kind, "c", **credential | {"subject": ""})
    with pytest.raises(CloudError, match="Exactly one audience"):
        put(kind, "c", **credential | {"audiences": ["a", "b"]})
    put(kind, "c", **credential)
    with pytest.raises(CloudError, match="combination already exists"):
        put(kind, "d", **credential)


def test_the_rest_is_kept_as_it_was_given(put: Put) -> None:
    rules = [{"name": "a", "properties": {"whatever": [1, 2]}}]

    made = put("Microsoft.Network/networkSecurityGroups", "n", securityRules=rules)
    created = put(IDENTITIES, "one")["properties"]
    same = put(IDENTITIES, "one")["properties"]

    assert made["properties"]["securityRules"] == rules
    assert made["location"] == "westeurope"
    assert created == same  # whoever an identity is, it stays
