"""Check that the mirror's storage account is still closed to everyone without a token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.model.preflight_finding import PreflightFinding, SubscriptionRequirements
from imagebake.azure.resources.deployments import resource

_API = "2024-01-01"
_CLOSED: Mapping[str, tuple[object, str, str]] = {
    "publicNetworkAccess": (
        "Disabled",
        "can be reached from the internet",
        "--public-network-access Disabled",
    ),
    "allowSharedKeyAccess": (
        False,
        "can be written with an account key",
        "--allow-shared-key-access false",
    ),
    "allowBlobPublicAccess": (
        False,
        "may have containers that are readable without a token",
        "--allow-blob-public-access false",
    ),
    "minimumTlsVersion": (
        "TLS1_2",
        "takes connections of an older TLS than 1.2",
        "--min-tls-version TLS1_2",
    ),
}
"""Expected value of each property, the meaning of any other, and the flag that restores it."""
_WHY = "what is installed into every image comes from there"


def exposure(clients: Clients, needs: SubscriptionRequirements) -> Iterator[PreflightFinding]:
    """Yield a finding for each way in which the mirror's account differs from bootstrap's."""
    if needs.account:
        yield from exposure_of(clients, needs.account)


def exposure_of(clients: Clients, account: str) -> Iterator[PreflightFinding]:
    """Yield the findings for the storage account with the id *account*."""
    name = account.rpartition("/")[2]
    found = resource(clients, account, _API)
    if found is None:
        yield PreflightFinding(
            check="mirror",
            what=f"the storage account {name} of the mirror is not there",
            why="the build machine installs from it",
            command="./inv bootstrap --plan",
        )
        return
    properties = found.get("properties") or {}
    for field, (wanted, how, flag) in _CLOSED.items():
        # TLS 1.3 as the minimum is stricter than asked for.
        if properties.get(field) != wanted and (field, properties.get(field)) != (
            "minimumTlsVersion",
            "TLS1_3",
        ):
            yield PreflightFinding(
                check="mirror",
                what=f"the mirror {name} {how}: {field} is {_shown(properties.get(field))}",
                why=_WHY,
                command=f"az storage account update --ids {account} {flag}",
            )
    versions = properties.get("immutableStorageWithVersioning") or {}
    if not (versions.get("enabled") and versions.get("immutabilityPolicy")):
        yield PreflightFinding(
            check="mirror",
            what=f"the mirror {name} has no immutability policy: what is in it can be changed",
            why=_WHY,
            command="./inv bootstrap --plan; an account gets one only when it is made",
        )
    yield from _endpoints(name, properties)


def _endpoints(name: str, properties: Mapping[str, Any]) -> Iterator[PreflightFinding]:
    states = [
        str(
            (
                (connection.get("properties") or {}).get("privateLinkServiceConnectionState") or {}
            ).get("status")
        )
        for connection in properties.get("privateEndpointConnections") or ()
    ]
    if "Approved" not in states:
        how = f"is {', '.join(states)}" if states else "is missing"
        yield PreflightFinding(
            check="mirror",
            what=f"the private endpoint of the mirror {name} {how}",
            why="without it the build machine cannot reach the mirror",
            command="./inv bootstrap --plan; a pending one is approved by its owner",
        )


def _shown(value: object) -> str:
    return (
        "not set"
        if value is None
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
