"""Who could read or change the mirror in the cloud besides us, as its account is set up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.cloud.addresses import Address
from imagebake.cloud.clients import Clients

_API = "2024-01-01"
_UPDATE = "az storage account update --name {account}"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Something that is more open than a mirror should be, and the command that closes it."""

    what: str
    mend: str


def exposures(clients: Clients, address: Address) -> tuple[Exposure, ...]:
    """What is too open at *address*; its account is in the resource group of *clients*.

    Asks Resource Manager, so it needs Reader on the account, and nothing of the mirror's.
    """
    doing = f"see how the storage account {address.account} is set up"
    group = clients.endpoint.group_id
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/{address.account}"
    container = f"{account}/blobServices/default/containers/{address.container}"
    found = [
        clients.send(doing, "GET", f"{resource}?api-version={_API}")
        for resource in (account, container)
    ]
    return tuple(judged(found[0], found[1], address))


def judged(
    account: Mapping[str, Any], container: Mapping[str, Any], address: Address
) -> Iterator[Exposure]:
    """What is too open, by the account and the container as Resource Manager shows them.

    What is absent is what the service takes it for: shared keys and the public network are
    on, public access to blobs is off.
    """
    told, inside = account.get("properties") or {}, container.get("properties") or {}
    update = _UPDATE.format(account=address.account)
    if told.get("allowBlobPublicAccess"):
        mend = f"{update} --allow-blob-public-access false"
        yield Exposure("the account lets containers be public", mend)
    if (inside.get("publicAccess") or "None") != "None":
        mend = f"az storage container set-permission --public-access off --name {address.container}"
        yield Exposure("the container is public: anybody reads it without a token", mend)
    if told.get("allowSharedKeyAccess") is not False:
        mend = f"{update} --allow-shared-key-access false"
        yield Exposure("the account has keys: whoever knows one may do everything", mend)
    if _from_everywhere(told):
        mend = f"{update} --public-network-access Disabled"
        yield Exposure("the account can be reached from every network", mend)
    if told.get("supportsHttpsTrafficOnly") is False:
        mend = f"{update} --https-only true"
        yield Exposure("the account answers without encryption", mend)
    if not _is_immutable(told, inside):
        mend = "./inv bootstrap --apply gives the container an immutability policy"
        yield Exposure("what is in the mirror can be changed and deleted", mend)


def _from_everywhere(account: Mapping[str, Any]) -> bool:
    rules = account.get("networkAcls") or {}
    closed = account.get("publicNetworkAccess") in ("Disabled", "SecuredByPerimeter")
    return not closed and rules.get("defaultAction", "Allow") == "Allow"


def _is_immutable(account: Mapping[str, Any], container: Mapping[str, Any]) -> bool:
    """Whether there is a policy: of the container, or of every version in the account."""
    versions = account.get("immutableStorageWithVersioning") or {}
    own = container.get("hasImmutabilityPolicy") or container.get("immutabilityPolicy")
    return bool(own or (versions.get("enabled") and versions.get("immutabilityPolicy")))
