"""Subscriptions, tenants, locations, resource groups and resource provider registration."""

from __future__ import annotations

from typing import Any

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import REGIONS
from imagebake.emulator.management.login import TENANT
from imagebake.emulator.resources import list_page, location, present, require_group
from imagebake.emulator.store import Resource, Session

_GROUPS = "Microsoft.Resources/resourceGroups"
# Only unregistered providers are stored: all are registered at first.
_REGISTRATIONS = "imagebake/unregistered"
_SUBSCRIPTION_RULE = "/subscriptions/<subscription>"
_VERSIONS = {
    "Microsoft.Authorization": ("2022-04-01", "2020-05-01", "2017-04-01", "2016-09-01"),
    "Microsoft.Compute": ("2026-04-01", "2026-03-03", "2024-11-01", "2024-03-03", "2023-07-03"),
    "Microsoft.ContainerInstance": ("2023-05-01",),
    "Microsoft.KeyVault": ("2024-11-01",),
    "Microsoft.ManagedIdentity": ("2023-01-31",),
    "Microsoft.Network": ("2024-05-01", "2020-06-01"),
    "Microsoft.ResourceHealth": ("2025-05-01", "2024-02-01", "2022-10-01"),
    "Microsoft.Resources": ("2025-04-01", "2024-11-01", "2022-09-01"),
    "Microsoft.Storage": ("2024-01-01",),
    "Microsoft.VirtualMachineImages": ("2025-10-01", "2024-02-01", "2023-07-01", "2022-07-01"),
}
_TYPES = {
    "Microsoft.Authorization": (
        "locks",
        "policyAssignments",
        "policyDefinitions",
        "policySetDefinitions",
        "roleAssignments",
        "roleDefinitions",
    ),
    "Microsoft.Compute": (
        "galleries",
        "galleries/images",
        "galleries/images/versions",
        "virtualMachines",
        "virtualMachines/extensions",
        "virtualMachineScaleSets",
        "virtualMachineScaleSets/virtualMachines",
    ),
    "Microsoft.ContainerInstance": (),
    "Microsoft.KeyVault": (),
    "Microsoft.ManagedIdentity": (
        "userAssignedIdentities",
        "userAssignedIdentities/federatedIdentityCredentials",
    ),
    "Microsoft.Network": (
        "natGateways",
        "networkSecurityGroups",
        "privateDnsZones",
        "privateEndpoints",
        "publicIPAddresses",
        "virtualNetworks",
    ),
    "Microsoft.ResourceHealth": ("events",),
    "Microsoft.Resources": ("deployments", "resourceGroups", "subscriptions", "tags"),
    "Microsoft.Storage": ("storageAccounts", "storageAccounts/blobServices"),
    "Microsoft.VirtualMachineImages": (
        "imageTemplates",
        "imageTemplates/runOutputs",
        "imageTemplates/triggers",
    ),
}


def seed(session: Session, subscription: str, group: str, location: str) -> None:
    """Create the initial resource group unless it exists."""
    scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
    if not session.find(scope):
        body = {
            "id": scope,
            "name": group,
            "type": _GROUPS,
            "location": location,
            "tags": {},
            "properties": {},
        }
        session.put(Resource(_GROUPS, body))


def require_registration(session: Session, subscription: str, provider: str, now: float) -> None:
    """Refuse requests to an unregistered provider: 409 `MissingSubscriptionRegistration`."""
    if _registration_state(session, subscription, provider, now) != "Registered":
        raise ArmError(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{provider}'. See"
            " https://aka.ms/rps-not-found for how to register subscriptions.",
        )


def _registration_state(session: Session, subscription: str, provider: str, now: float) -> str:
    known = session.find(_registration(subscription, provider))
    return known.provisioning_state(now) if known else "Registered"


def _registration(subscription: str, provider: str) -> str:
    return f"/unregistered/{subscription}/{provider}"


def _subscription(name: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{name}",
        "subscriptionId": name,
        "displayName": "imagebake",
        "state": "Enabled",
        "tenantId": TENANT,
        "homeTenantId": TENANT,
        "managedByTenants": [],
        "authorizationSource": "RoleBased",
    }


def list_subscriptions(call: Call) -> Reply:
    """List the subscriptions that have a resource group."""
    groups = call.session.list(_GROUPS, "/subscriptions/")
    names = sorted({group.id.split("/")[2] for group in groups})
    return Reply(200, {"value": [_subscription(name) for name in names]})


def get_subscription(call: Call) -> Reply:
    """GET a subscription; every id exists."""
    return Reply(200, _subscription(call.names["subscription"]))


def list_tenants(call: Call) -> Reply:
    """List the single tenant."""
    del call
    tenant = {"id": f"/tenants/{TENANT}", "tenantId": TENANT, "displayName": "imagebake"}
    return Reply(200, {"value": [tenant]})


def list_locations(call: Call) -> Reply:
    """List the regions."""
    scope = f"/subscriptions/{call.names['subscription']}/locations"
    regions = [
        {
            "id": f"{scope}/{name}",
            "name": name,
            "displayName": name,
            "regionalDisplayName": name,
            "metadata": {"regionType": "Physical"},
        }
        for name in sorted(REGIONS)
    ]
    return Reply(200, {"value": regions})


def _provider(call: Call, name: str) -> dict[str, Any]:
    namespace = {known.lower(): known for known in _TYPES}.get(name.lower(), name)
    subscription = call.names["subscription"]
    state = _registration_state(call.session, subscription, name, call.time)
    types = [
        {
            "resourceType": kind,
            "apiVersions": list(_VERSIONS[namespace]),
            "locations": sorted(REGIONS),
        }
        for kind in _TYPES.get(namespace, ())
    ]
    return {
        "id": f"/subscriptions/{subscription}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": state,
        "resourceTypes": types,
    }


def list_providers(call: Call) -> Reply:
    """List the emulated resource providers."""
    return Reply(200, {"value": [_provider(call, name) for name in sorted(_TYPES)]})


def get_provider(call: Call) -> Reply:
    """GET a resource provider with its registration state."""
    return Reply(200, _provider(call, call.names["provider"]))


def register(call: Call) -> Reply:
    """Register a provider; all of them are registered at first."""
    found = call.session.find(_registration(call.names["subscription"], call.names["provider"]))
    if found:
        # Documented: registration is asynchronous, and requests are refused until it ends.
        found.settling, found.state = "Registering", "Registered"
        found.settles = call.time + call.pace.operation
        call.session.put(found)
    return get_provider(call)


def unregister(call: Call) -> Reply:
    """Unregister a provider, so that requests to it are refused."""
    gone = _registration(call.names["subscription"], call.names["provider"])
    body = {"id": gone, "name": call.names["provider"]}
    call.session.put(Resource(_REGISTRATIONS, body, state="NotRegistered"))
    return get_provider(call)


def list_groups(call: Call) -> Reply:
    """List the resource groups of a subscription."""
    scope = f"/subscriptions/{call.names['subscription']}/resourcegroups/"
    return list_page(call, _GROUPS, scope)


def put_group(call: Call) -> Reply:
    """Create a resource group, or update its tags."""
    known = call.session.find(call.scope)
    body = call.document()
    group = Resource(
        _GROUPS,
        {
            "id": call.scope,
            "name": call.names["group"],
            "type": "Microsoft.Resources/resourceGroups",
            "location": location(body, "Microsoft.Resources/resourceGroups"),
            "tags": body.get("tags") or {},
            "properties": {},
        },
    )
    call.session.put(group)
    return Reply(200 if known else 201, present(group, call))


def get_group(call: Call) -> Reply:
    """GET a resource group; HEAD tells whether it exists."""
    if call.method == "HEAD":
        require_group(call)
        return Reply(204)
    return Reply(200, present(require_group(call), call))


def delete_group(call: Call) -> Reply:
    """Delete a resource group with all of its resources."""
    call.session.remove(require_group(call).id)
    return Reply(200)


ROUTES = (
    Route("GET", "/tenants", list_tenants),
    Route("GET", "/subscriptions", list_subscriptions),
    Route("GET", _SUBSCRIPTION_RULE, get_subscription),
    Route("GET", f"{_SUBSCRIPTION_RULE}/locations", list_locations),
    Route("GET", f"{_SUBSCRIPTION_RULE}/providers", list_providers),
    Route("GET", f"{_SUBSCRIPTION_RULE}/providers/<provider>", get_provider),
    Route("POST", f"{_SUBSCRIPTION_RULE}/providers/<provider>/register", register),
    Route("POST", f"{_SUBSCRIPTION_RULE}/providers/<provider>/unregister", unregister),
    Route("GET", f"{_SUBSCRIPTION_RULE}/resourcegroups", list_groups),
    Route("PUT", f"{_SUBSCRIPTION_RULE}/resourcegroups/<group>", put_group),
    Route("GET", f"{_SUBSCRIPTION_RULE}/resourcegroups/<group>", get_group),
    Route("DELETE", f"{_SUBSCRIPTION_RULE}/resourcegroups/<group>", delete_group),
)
