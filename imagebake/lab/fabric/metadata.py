"""The instance metadata service, and tokens of the machine's identity."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

from imagebake.lab.fabric.exchange import FabricRequest, FabricResponse, json_response
from imagebake.lab.fabric.fabric_settings import FabricMachine, IdentityFault

_IDENTITY = "/metadata/identity"
_LIFETIME = dt.timedelta(hours=24)
_SPACE = uuid.UUID("0f4f8f9e-7a54-4d5e-8f5e-2f4a8a3f5b10")


def is_identity(call: FabricRequest) -> bool:
    """Return whether *call* is for the identity service, which has faults of its own."""
    return call.path.startswith(_IDENTITY)


def answer(call: FabricRequest, machine: FabricMachine) -> FabricResponse:
    """Answer a metadata request about *machine*."""
    refused = _refused(call)
    if refused:
        return refused
    known: dict[str, Callable[[FabricMachine], dict[str, Any]]] = {
        "/metadata/instance": _instance,
        "/metadata/instance/compute": _compute,
        "/metadata/instance/network": _network,
        "/metadata/versions": lambda _: {"apiVersions": ["2018-02-01", "2019-06-01", "2021-08-01"]},
        "/metadata/scheduledevents": lambda _: {"DocumentIncarnation": 1, "Events": []},
    }
    describe = known.get(call.path.rstrip("/"))
    return (
        json_response(describe(machine)) if describe else json_response({"error": "Not found"}, 404)
    )


def token(
    call: FabricRequest,
    machine: FabricMachine,
    now: dt.datetime,
    fault: IdentityFault,
    *,
    slow: float,
) -> FabricResponse:
    """Answer a request for a token; a slow response takes *slow* seconds.

    The token grants nothing and contains nothing secret.
    """
    refused = _refused(call)
    if refused:
        return refused
    if call.path.rstrip("/") != f"{_IDENTITY}/oauth2/token":
        return json_response({"error": "Not found"}, 404)
    if fault is IdentityFault.THROTTLED:
        return json_response(
            {"error": "too_many_requests", "error_description": "Temporarily throttled"}, 429
        )
    if fault is IdentityFault.BROKEN:
        return json_response(
            {"error": "unknown", "error_description": "Failed to retrieve token from the service"},
            500,
        )
    resource = call.query.get("resource")
    if not resource:
        return json_response(
            {
                "error": "invalid_request",
                "error_description": "Required query variable 'resource' is missing",
            },
            400,
        )
    delay = slow if fault is IdentityFault.SLOW else 0.0
    return json_response(_token(machine, resource, now), delay=delay)


def _refused(call: FabricRequest) -> FabricResponse | None:
    """Refuse requests without the Metadata header or through a proxy, as the real service does."""
    if call.header("Metadata").lower() != "true" or call.header("X-Forwarded-For"):
        return json_response({"error": "Bad request. Required metadata header not specified"}, 400)
    if "api-version" not in call.query and call.path != "/metadata/versions":
        return json_response({"error": "Bad request. api-version was not specified"}, 400)
    if call.method != "GET":
        return json_response({"error": "Method not allowed"}, 405)
    return None


def _token(machine: FabricMachine, resource: str, now: dt.datetime) -> dict[str, str]:
    start, end = int(now.timestamp()), int((now + _LIFETIME).timestamp())
    name = base64.urlsafe_b64encode(f"{machine.vm_id} {resource} {start}".encode()).decode()
    return {
        "access_token": f"imagebake.{name.rstrip('=')}.unsigned",
        "client_id": str(uuid.uuid5(_SPACE, machine.vm_id)),
        "expires_in": str(end - start),
        "expires_on": str(end),
        "ext_expires_in": str(end - start),
        "not_before": str(start),
        "resource": resource,
        "token_type": "Bearer",
    }


def _instance(machine: FabricMachine) -> dict[str, Any]:
    return {
        "compute": _compute(machine),
        "network": _network(machine),
        "extended": {
            "compute": {"hasCustomData": machine.custom_data is not None, "ppsType": "None"}
        },
    }


def _compute(machine: FabricMachine) -> dict[str, Any]:
    group = f"/subscriptions/{machine.subscription}/resourceGroups/{machine.resource_group}"
    path = f"/home/{machine.user}/.ssh/authorized_keys"
    keys = [{"keyData": machine.public_key, "path": path}] if machine.public_key else []
    return {
        "azEnvironment": "AzurePublicCloud",
        "customData": "",
        "location": machine.location,
        "name": machine.name,
        "offer": "",
        "osProfile": {
            "adminUsername": machine.user,
            "computerName": machine.name,
            "disablePasswordAuthentication": "true",
        },
        "osType": "Linux",
        "placementGroupId": "",
        "plan": {"name": "", "product": "", "publisher": ""},
        "platformFaultDomain": "0",
        "platformUpdateDomain": "0",
        "provider": "Microsoft.Compute",
        "publicKeys": keys,
        "publisher": "",
        "resourceGroupName": machine.resource_group,
        "resourceId": f"{group}/providers/Microsoft.Compute/virtualMachines/{machine.name}",
        "sku": "",
        "subscriptionId": machine.subscription,
        "tags": ";".join(f"{name}:{value}" for name, value in sorted(machine.tags.items())),
        "tagsList": [
            {"name": name, "value": value} for name, value in sorted(machine.tags.items())
        ],
        "userData": machine.user_data,
        "version": "",
        "vmId": machine.vm_id,
        "vmScaleSetName": "",
        "vmSize": machine.size,
        "zone": "",
    }


def _network(machine: FabricMachine) -> dict[str, Any]:
    return {
        "interface": [
            {
                "ipv4": {
                    "ipAddress": [{"privateIpAddress": machine.address, "publicIpAddress": ""}],
                    "subnet": [{"address": machine.subnet, "prefix": str(machine.prefix)}],
                },
                "ipv6": {"ipAddress": []},
                "macAddress": machine.mac.replace(":", "").upper(),
            }
        ]
    }
