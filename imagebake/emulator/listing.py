"""What every provider does alike: presenting a resource, listing many, checking the group."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from imagebake.emulator.calls import Call, Reply, stamp
from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import region
from imagebake.emulator.management.regions import REGIONS
from imagebake.emulator.store import Resource

PAGE = 50
_GROUPS = "microsoft.resources/resourcegroups"


def present(resource: Resource, call: Call) -> dict[str, Any]:
    """The resource as a client sees it now."""
    state = resource.provisioning_state(call.time)
    return resource.body | {"properties": resource.properties | {"provisioningState": state}}


def list_page(
    call: Call,
    kind: str,
    prefix: str,
    shown: Callable[[Resource, Call], dict[str, Any]] = present,
) -> Reply:
    """One page of the resources of *kind* below *prefix*, with the way to the next."""
    after = base64.urlsafe_b64decode(call.query.get("$skiptoken", "")).decode()
    found = call.session.list(kind, prefix, after=after, limit=PAGE + 1)
    body: dict[str, Any] = {"value": [shown(resource, call) for resource in found[:PAGE]]}
    if len(found) > PAGE:
        token = base64.urlsafe_b64encode(found[PAGE - 1].key.encode()).decode()
        query = urlencode({**call.query, "$skiptoken": token}, safe="$")
        body["nextLink"] = f"{call.base}{quote(call.path)}?{query}"
    return Reply(200, body)


def require_group(call: Call) -> Resource:
    """The resource group that the request is about; a 404 as ARM's when there is none."""
    found = call.session.find(call.scope)
    if not found:
        raise ArmError(
            404,
            "ResourceGroupNotFound",
            f"Resource group '{call.names['group']}' could not be found.",
        )
    return found


def put_group(call: Call) -> Reply:
    """Create a resource group, or change its tags."""
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


def location(body: dict[str, Any], kind: str) -> str:
    """The region that a body names, by its short name."""
    if not body.get("location"):
        raise ArmError(
            400,
            "LocationRequired",
            "The location property is required for this definition.",
        )
    named = region(body["location"])
    if named not in REGIONS:
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{body['location']}' is not available for resource type"
            f" '{kind}'. List of available regions for the resource type is"
            f" '{','.join(sorted(REGIONS))}'.",
        )
    return named


def same_location(known: Resource | None, named: str, group: str) -> None:
    """Refuse to create in one region what exists in another."""
    if known and known.body["location"] != named:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{known.name}' already exists in location"
            f" '{known.body['location']}' in resource group '{group}'. A resource with the same"
            f" name cannot be created in location '{named}'. Please select a new resource name.",
        )


def system_data(call: Call, known: Resource | None) -> dict[str, str]:
    """Who made a resource, and when."""
    who, when = "imagebake", stamp(call.now)
    made = known.body.get("systemData", {}) if known else {}
    return {
        "createdBy": made.get("createdBy", who),
        "createdByType": "Application",
        "createdAt": made.get("createdAt", when),
        "lastModifiedBy": who,
        "lastModifiedByType": "Application",
        "lastModifiedAt": when,
    }
