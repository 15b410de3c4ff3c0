"""Deployments of ARM templates, and generic reads of a resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import NotFound
from imagebake.kernel.errors import CloudError

_API = "2024-11-01"
_GOING = ("Accepted", "Running", "Creating", "Updating", "Validating", "NotSpecified", "")


def resource(clients: Clients, resource_id: str, api_version: str) -> dict[str, Any] | None:
    """Read the resource of an id; None where it does not exist."""
    doing = f"read {resource_id.rpartition('/providers/')[2]}"
    try:
        found: dict[str, Any] = clients.send(
            doing, "GET", f"{resource_id}?api-version={api_version}"
        )
    except NotFound:
        return None
    return found


def deploy(
    clients: Clients,
    name: str,
    template: Mapping[str, Any],
    parameters: Mapping[str, Any],
    *,
    group: str,
    location: str,
) -> None:
    """Deploy *template* to *group* (without one, to the subscription) and wait for the end.

    The template is validated first, so that one that Azure would refuse changes nothing.
    Raises `CloudError` with the message of the resource that failed.
    """
    scope = f"/subscriptions/{clients.endpoint.subscription}"
    scope += f"/resourceGroups/{group}" if group else ""
    path = f"{scope}/providers/Microsoft.Resources/deployments/{name}"
    body: dict[str, Any] = {
        "properties": {
            "mode": "Incremental",
            "template": dict(template),
            "parameters": {key: {"value": value} for key, value in parameters.items()},
        }
    }
    if not group:
        body["location"] = location
    # Validation finds most refusals before anything is created.
    clients.send(f"validate {name}", "POST", f"{path}/validate?api-version={_API}", body)
    clients.send(f"deploy {name}", "PUT", f"{path}?api-version={_API}", body)
    while True:
        answer = clients.send(f"look at {name}", "GET", f"{path}?api-version={_API}")
        properties = (answer or {}).get("properties") or {}
        state = str(properties.get("provisioningState") or "")
        if state == "Succeeded":
            return
        if state not in _GOING:
            raise _failure(name, state, properties)
        clients.patience.sleep(clients.endpoint.polling_seconds)


def _failure(name: str, state: str, properties: Mapping[str, Any]) -> CloudError:
    error = properties.get("error") or {}
    reasons = list(_reasons(error)) or [(str(error.get("code") or state), state)]
    code, message = reasons[0]
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return CloudError(
        f"cannot deploy {name}: {code}: {message}{more}",
        code=code,
        hint="what was made stays; mend this and run it again: it goes on from there",
    )


def _reasons(error: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the innermost errors: the outer ones only say that there are some."""
    inner = [reason for detail in error.get("details") or () for reason in _reasons(detail)]
    if inner or not error.get("code"):
        return inner
    target = str(error.get("target") or "").rpartition("/providers/")[2]
    where = f"{target}: " if target else ""
    return [(str(error["code"]), f"{where}{' '.join(str(error.get('message')).split())}")]
