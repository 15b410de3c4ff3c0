"""Whether the mirror is still closed: what somebody may have opened since it was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.model.preflight_finding import Complaint, Needs
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
        "can be written with a key, whoever has it",
        "--allow-shared-key-access false",
    ),
    "allowBlobPublicAccess": (
        False,
        "may have containers that anybody can read",
        "--allow-blob-public-access false",
    ),
    "minimumTlsVersion": (
        "TLS1_2",
        "takes connections of an older TLS than 1.2",
        "--min-tls-version TLS1_2",
    ),
}
"""What the account says when it is closed; else what that means, and the flag that mends it."""
_WHY = "what is installed into every image comes from there"


def exposure(clients: Clients, needs: Needs) -> Iterator[Complaint]:
    """Everything about the mirror's storage account that is not as bootstrap makes it."""
    if needs.account:
        yield from exposure_of(clients, needs.account)


def exposure_of(clients: Clients, account: str) -> Iterator[Complaint]:
    """The same of the storage account with the id *account*."""
    name = account.rpartition("/")[2]
    found = resource(clients, account, _API)
    if found is None:
        yield Complaint(
            check="mirror",
            what=f"the storage account {name} of the mirror is not there",
            why="the build machine installs from it",
            command="./inv bootstrap --plan",
        )
        return
    told = found.get("properties") or {}
    for field, (wanted, how, flag) in _CLOSED.items():
        if told.get(field) != wanted and (field, told.get(field)) != (
            "minimumTlsVersion",
            "TLS1_3",
        ):
            yield Complaint(
                check="mirror",
                what=f"the mirror {name} {how}: {field} is {_shown(told.get(field))}",
                why=_WHY,
                command=f"az storage account update --ids {account} {flag}",
            )
    versions = told.get("immutableStorageWithVersioning") or {}
    if not (versions.get("enabled") and versions.get("immutabilityPolicy")):
        yield Complaint(
            check="mirror",
            what=f"the mirror {name} has no immutability policy: what is in it can be changed",
            why=_WHY,
            command="./inv bootstrap --plan; an account gets one only when it is made",
        )
    yield from _endpoints(name, told)


def _endpoints(name: str, told: Mapping[str, Any]) -> Iterator[Complaint]:
    states = [
        str(
            ((one.get("properties") or {}).get("privateLinkServiceConnectionState") or {}).get(
                "status"
            )
        )
        for one in told.get("privateEndpointConnections") or ()
    ]
    if "Approved" not in states:
        how = f"is {', '.join(states)}" if states else "is missing"
        yield Complaint(
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
