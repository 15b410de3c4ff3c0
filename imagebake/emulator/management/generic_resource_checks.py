"""Validation and computed properties of identities, networks and storage accounts."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Iterator
from typing import Any

from imagebake.emulator.calls import Call
from imagebake.emulator.errors import ArmError
from imagebake.emulator.management.login import TENANT
from imagebake.emulator.resources import present
from imagebake.emulator.store import Resource

_ACCOUNT = "Microsoft.Storage/storageAccounts"
_ENDPOINT = "Microsoft.Network/privateEndpoints"
_CREDENTIAL = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
# Documented: these can only be set when the account is created.
_AT_CREATION = ("immutableStorageWithVersioning", "isHnsEnabled")
_OPEN = {
    "publicNetworkAccess": "Enabled",
    "allowSharedKeyAccess": True,
    "allowBlobPublicAccess": False,
    "minimumTlsVersion": "TLS1_0",
    "supportsHttpsTrafficOnly": True,
    "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow"},
}
"""A storage account's defaults when the body says nothing of network access."""


def accept_any(call: Call, resource: Resource, known: Resource | None) -> None:
    """Accept the body unchanged."""
    del call, resource, known


def identity(call: Call, resource: Resource, known: Resource | None) -> None:
    """Assign a principal id and a client id at creation, and the tenant."""
    del call
    made = known.properties if known else {}
    resource.body["properties"] = {
        "tenantId": TENANT,
        "principalId": made.get("principalId") or str(uuid.uuid4()),
        "clientId": made.get("clientId") or str(uuid.uuid4()),
    }


def federated_credential(call: Call, resource: Resource, known: Resource | None) -> None:
    """Refuse an incomplete credential, or a duplicate of issuer and subject: 409."""
    given = resource.properties
    for name in ("issuer", "subject", "audiences"):
        if not given.get(name):
            raise ArmError(400, "BadRequest", f"Required property '{name}' is missing.")
    # Documented limit of federated credentials.
    if len(given["audiences"]) != 1:
        raise ArmError(400, "BadRequest", "Exactly one audience must be specified.")
    owner = resource.id[: resource.key.index("/federatedidentitycredentials/")]
    for other in call.session.list(_CREDENTIAL, f"{owner}/"):
        same = all(other.properties[name] == given[name] for name in ("issuer", "subject"))
        if same and other.key != (known.key if known else resource.key):
            raise ArmError(
                409,
                "Conflict",
                "Issuer and subject combination already exists for this Managed Identity.",
            )


def global_only(call: Call, resource: Resource, known: Resource | None) -> None:
    """Refuse a DNS zone or link outside `global`, or with a reference to a missing resource."""
    if resource.body.get("location") != "global":
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{resource.body.get('location')}' is not available for"
            f" resource type '{resource.body['type']}'. List of available regions for the"
            " resource type is 'global'.",
        )
    references(call, resource, known)


def public_address(call: Call, resource: Resource, known: Resource | None) -> None:
    """Assign a public IP address from TEST-NET-3 (RFC 5737)."""
    del call
    made = known.properties if known else {}
    host = uuid.uuid4().int % 250 + 1
    resource.properties["ipAddress"] = made.get("ipAddress") or f"203.0.113.{host}"


def references(call: Call, resource: Resource, known: Resource | None) -> None:
    """Refuse a reference to a missing resource: 400 `InvalidResourceReference`."""
    del known
    for named in _named(resource.properties):
        _require(call, resource, named)


def _named(value: object) -> Iterator[str]:
    """Yield the resource ids under keys that end in `id`, anywhere in *value*."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key.lower().endswith("id") and str(part).lower().startswith("/subscriptions/"):
                yield part
            else:
                yield from _named(part)
    elif isinstance(value, list):
        for part in value:
            yield from _named(part)


def _require(call: Call, resource: Resource, named: str) -> None:
    network, found, subnet = named.partition("/subnets/")
    there = call.session.find(network)
    if there and found:
        subnets = there.properties.get("subnets") or ()
        if subnet.lower() not in {str(entry["name"]).lower() for entry in subnets}:
            there = None
    if there is None:
        raise ArmError(
            400,
            "InvalidResourceReference",
            f"Resource {named} referenced by resource {resource.id} was not found. Please make"
            " sure that the referenced resource exists, and that both resources are in the same"
            " region.",
        )


def virtual_network(call: Call, resource: Resource, known: Resource | None) -> None:
    """Refuse subnets that overlap or lie outside the address space; assign subnet ids."""
    given = resource.properties
    prefixes = (given.get("addressSpace") or {}).get("addressPrefixes") or ()
    spaces = [ipaddress.ip_network(prefix) for prefix in prefixes]
    taken: list[Any] = []
    for subnet in given.get("subnets") or ():
        properties = subnet.setdefault("properties", {})
        prefix = ipaddress.ip_network(properties.get("addressPrefix") or "0.0.0.0/0")
        if not any(prefix.subnet_of(space) for space in spaces):  # type: ignore[arg-type]
            raise ArmError(
                400,
                "NetcfgInvalidSubnet",
                f"Subnet '{subnet['name']}' is not valid in virtual network '{resource.name}'.",
            )
        if any(prefix.overlaps(other) for other in taken):
            raise ArmError(
                400,
                "NetcfgSubnetRangesOverlap",
                f"Subnet '{subnet['name']}' is not valid because its IP address range overlaps"
                f" with that of an existing subnet in virtual network '{resource.name}'.",
            )
        taken.append(prefix)
        subnet["id"] = f"{resource.id}/subnets/{subnet['name']}"
        properties["provisioningState"] = "Succeeded"
        for named in _named(properties):
            _require(call, resource, named)
    del known


def storage_account(call: Call, resource: Resource, known: Resource | None) -> None:
    """Refuse a bad or taken name and changes of immutable properties; apply the defaults."""
    name, given = resource.name, resource.properties
    if not _ACCOUNT_NAME.fullmatch(name):
        raise ArmError(
            400,
            "AccountNameInvalid",
            f"{name} is not a valid storage account name. Storage account name must be between"
            " 3 and 24 characters in length and use numbers and lower-case letters only.",
        )
    # Account names are DNS names, unique in all of Azure.
    for other in call.session.list(_ACCOUNT, "/subscriptions/"):
        if other.name == name and other.key != resource.key:
            raise ArmError(
                409,
                "StorageAccountAlreadyTaken",
                f"The storage account named {name} is already taken.",
            )
    for field in _AT_CREATION if known else ():
        if field in given and given[field] != (known or resource).properties.get(field):
            raise ArmError(
                409, "PropertyImmutable", f"The property '{field}' cannot be changed once set."
            )
    before = known.properties if known else _OPEN
    resource.body["properties"] = (
        before | given | {"primaryEndpoints": {"blob": f"https://{name}.blob.core.windows.net/"}}
    )


def shown_account(resource: Resource, call: Call) -> dict[str, Any]:
    """Render an account with its private endpoint connections and its blob endpoint."""
    body = present(resource, call)
    leading = [
        _connection(resource, endpoint)
        for endpoint in call.session.list(_ENDPOINT, "/subscriptions/")
        if any(
            str(link["properties"].get("privateLinkServiceId")).lower() == resource.key
            for link in endpoint.properties.get("privateLinkServiceConnections") or ()
        )
    ]
    body["properties"]["privateEndpointConnections"] = leading
    if resource.private.get("template"):  # of a staging group: the emulator serves its logs
        place = {"blob": f"{call.base}/{resource.name}/"}
        body["properties"]["primaryEndpoints"] = place
    return body


def _connection(account: Resource, endpoint: Resource) -> dict[str, Any]:
    state = endpoint.private.get("state") or "Approved"
    return {
        "id": f"{account.id}/privateEndpointConnections/{endpoint.name}",
        "name": endpoint.name,
        "properties": {
            "privateEndpoint": {"id": endpoint.id},
            "privateLinkServiceConnectionState": {"status": state, "actionRequired": "None"},
            "provisioningState": "Succeeded",
        },
    }
