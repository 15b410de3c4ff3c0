"""Generic resource types that are only stored: identities, networks, storage accounts.

Nothing runs behind them. `generic_resource_checks` validates their bodies.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import parent_not_found, resource_not_found
from imagebake.emulator.management import generic_resource_checks
from imagebake.emulator.resources import (
    list_page,
    location,
    present,
    require_group,
    require_same_location,
)
from imagebake.emulator.store import Resource

_GROUP = "/subscriptions/<subscription>/resourcegroups/<group>"
_MORE = ("sku", "kind", "identity", "zones")
"""Top-level fields that a body may have beside `properties`."""


@dataclass(frozen=True, slots=True)
class GenericResourceType:
    """A resource type; *check* completes or refuses a body, *show* adds computed properties."""

    type: str
    located: bool = True
    check: Callable[[Call, Resource, Resource | None], None] = generic_resource_checks.accept_any
    show: Callable[[Resource, Call], dict[str, Any]] = present
    orphan: bool = False
    """Whether the parent exists implicitly, such as a storage account's only blob service."""

    @property
    def words(self) -> tuple[str, ...]:
        """The type's segments without its namespace."""
        return tuple(self.type.split("/")[1:])

    @property
    def namespace(self) -> str:
        """The resource provider's namespace."""
        return self.type.partition("/")[0]

    def id(self, call: Call) -> str:
        """Return the id of the resource that the request addresses."""
        return self._path(call, len(self.words))

    def parent(self, call: Call) -> str | None:
        """Return the parent's id; None for a resource directly in a group."""
        depth = len(self.words) - (2 if self.orphan else 1)
        return self._path(call, depth) if depth else None

    def _path(self, call: Call, depth: int) -> str:
        pairs = (
            f"{word}/{call.names[f'name{number}']}"
            for number, word in enumerate(self.words[:depth])
        )
        return f"{call.scope}/providers/{self.namespace}/{'/'.join(pairs)}"

    @property
    def rule(self) -> str:
        """The routing rule of the collection."""
        inner = "".join(
            f"/{word.lower()}/<name{number}>" for number, word in enumerate(self.words[:-1])
        )
        last = self.words[-1].lower()
        return f"{_GROUP}/providers/{self.namespace.lower()}{inner}/{last}"


GENERIC_RESOURCE_TYPES = (
    GenericResourceType(
        "Microsoft.ManagedIdentity/userAssignedIdentities", check=generic_resource_checks.identity
    ),
    GenericResourceType(
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        located=False,
        check=generic_resource_checks.federated_credential,
    ),
    GenericResourceType("Microsoft.Network/networkSecurityGroups"),
    GenericResourceType(
        "Microsoft.Network/publicIPAddresses", check=generic_resource_checks.public_address
    ),
    GenericResourceType("Microsoft.Network/natGateways", check=generic_resource_checks.references),
    GenericResourceType(
        "Microsoft.Network/virtualNetworks", check=generic_resource_checks.virtual_network
    ),
    GenericResourceType(
        "Microsoft.Network/privateEndpoints", check=generic_resource_checks.references
    ),
    GenericResourceType(
        "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
        located=False,
        check=generic_resource_checks.references,
    ),
    GenericResourceType(
        "Microsoft.Network/privateDnsZones",
        check=generic_resource_checks.global_only,
        located=False,
    ),
    GenericResourceType(
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
        check=generic_resource_checks.global_only,
        located=False,
    ),
    GenericResourceType(
        "Microsoft.Storage/storageAccounts",
        check=generic_resource_checks.storage_account,
        show=generic_resource_checks.shown_account,
    ),
    GenericResourceType("Microsoft.Storage/storageAccounts/blobServices", located=False),
    GenericResourceType(
        "Microsoft.Storage/storageAccounts/blobServices/containers", located=False, orphan=True
    ),
)


def put(kind: GenericResourceType, call: Call) -> Reply:
    """Create or replace a resource; it is provisioned at once."""
    require_group(call)
    if (parent := kind.parent(call)) and not call.session.find(parent):
        raise parent_not_found(parent.rpartition("/")[2])
    body, named = call.document(), kind.id(call)
    known = call.session.find(named)
    resource = Resource(
        kind.type,
        {
            "id": known.id if known else named,
            "name": named.rpartition("/")[2],
            "type": kind.type,
            "properties": dict(body.get("properties") or {}),
        }
        | {key: body[key] for key in _MORE if key in body},
    )
    if kind.located or "location" in body:
        # Private DNS zones have the pseudo location `global`.
        place = "global" if body.get("location") == "global" else location(body, kind.type)
        require_same_location(known, place, call.names["group"])
        resource.body |= {"location": place, "tags": body.get("tags") or {}}
    kind.check(call, resource, known)
    call.session.put(resource)
    return Reply(200 if known else 201, kind.show(resource, call))


def get(kind: GenericResourceType, call: Call) -> Reply:
    """GET a resource."""
    found = call.session.find(kind.id(call))
    if not found:
        names = kind.id(call).rpartition("/")[2]
        raise resource_not_found(kind.type, names, call.names["group"])
    return Reply(200, kind.show(found, call))


def list_all(kind: GenericResourceType, call: Call) -> Reply:
    """List the resources of a group or of a parent."""
    require_group(call)
    below = kind.parent(call)
    return list_page(call, kind.type, f"{below or call.scope}/", kind.show)


def delete(kind: GenericResourceType, call: Call) -> Reply:
    """Delete a resource and its nested resources."""
    if not call.session.find(kind.id(call)):
        return Reply(204)
    call.session.remove(kind.id(call))
    return Reply(200)


def _routes(kind: GenericResourceType) -> tuple[Route, ...]:
    rule = f"{kind.rule}/<name{len(kind.words) - 1}>"
    return (
        Route("PUT", rule, functools.partial(put, kind)),
        Route("GET", rule, functools.partial(get, kind)),
        Route("DELETE", rule, functools.partial(delete, kind)),
        Route("GET", kind.rule, functools.partial(list_all, kind)),
    )


def get_subnet(call: Call) -> Reply:
    """GET a subnet, which is stored in its virtual network."""
    networks = f"{call.scope}/providers/Microsoft.Network/virtualNetworks"
    found = call.session.find(f"{networks}/{call.names['name0']}")
    subnets = found.properties.get("subnets", ()) if found else ()
    for subnet in subnets:
        if subnet["name"].lower() == call.names["subnet"].lower():
            return Reply(200, subnet)
    raise resource_not_found(
        "Microsoft.Network/virtualNetworks/subnets",
        f"{call.names['name0']}/{call.names['subnet']}",
        call.names["group"],
    )


_SUBNET = f"{_GROUP}/providers/microsoft.network/virtualnetworks/<name0>/subnets/<subnet>"

ROUTES = (
    *(route for kind in GENERIC_RESOURCE_TYPES for route in _routes(kind)),
    Route("GET", _SUBNET, get_subnet),
)
