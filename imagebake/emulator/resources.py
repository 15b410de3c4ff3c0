"""What all resource providers share: rendering, paging, ETags, groups and locations."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from imagebake.emulator.calls import Call, Reply, stamp
from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import REGIONS, region
from imagebake.emulator.store import Resource

PAGE = 50
"""Resources per page of a list."""


def present(resource: Resource, call: Call) -> dict[str, Any]:
    """Render the resource as a GET returns it now."""
    state = resource.provisioning_state(call.time)
    return resource.body | {"properties": resource.properties | {"provisioningState": state}}


def list_page(
    call: Call,
    kind: str,
    prefix: str,
    shown: Callable[[Resource, Call], dict[str, Any]] = present,
) -> Reply:
    """Return a page of the resources of *kind* below *prefix*, with a `nextLink` if more follow."""
    # The token is the last key of a page, so pages stay consistent while resources come and go.
    after = base64.urlsafe_b64decode(call.query.get("$skiptoken", "")).decode()
    # One more than a page, to know whether another follows.
    found = call.session.list(kind, prefix, after=after, limit=PAGE + 1)
    body: dict[str, Any] = {"value": [shown(resource, call) for resource in found[:PAGE]]}
    if len(found) > PAGE:
        token = base64.urlsafe_b64encode(found[PAGE - 1].key.encode()).decode()
        query = urlencode({**call.query, "$skiptoken": token}, safe="$")
        body["nextLink"] = f"{call.base}{quote(call.path)}?{query}"
    return Reply(200, body)


def require_group(call: Call) -> Resource:
    """Return the addressed resource group; 404 `ResourceGroupNotFound` if it does not exist."""
    found = call.session.find(call.scope)
    if not found:
        raise ArmError(
            404,
            "ResourceGroupNotFound",
            f"Resource group '{call.names['group']}' could not be found.",
        )
    return found


def location(body: dict[str, Any], kind: str) -> str:
    """Return the short name of the body's region; 400 if it is missing or unknown."""
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


def require_same_location(known: Resource | None, named: str, group: str) -> None:
    """Refuse to create a resource that exists in another region: 409."""
    if known and known.body["location"] != named:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{known.name}' already exists in location"
            f" '{known.body['location']}' in resource group '{group}'. A resource with the same"
            f" name cannot be created in location '{named}'. Please select a new resource name.",
        )


def system_data(call: Call, known: Resource | None) -> dict[str, str]:
    """Return `systemData`: who created and last modified a resource, and when."""
    principal, now = "imagebake", stamp(call.now)
    made = known.body.get("systemData", {}) if known else {}
    return {
        "createdBy": made.get("createdBy", principal),
        "createdByType": "Application",
        "createdAt": made.get("createdAt", now),
        "lastModifiedBy": principal,
        "lastModifiedByType": "Application",
        "lastModifiedAt": now,
    }


def check_etag(call: Call, known: Resource | None) -> None:
    """Refuse a write whose `If-Match` or `If-None-Match` fails: 412 `PreconditionFailed`."""
    wanted = call.headers.get("if-match")
    if wanted is not None and not _etag_matches(wanted, known):
        have = f'"{_etag_number(known)}"' if known else "null"
        raise _precondition_failed(
            f"Etag provided in if-match header {wanted} does not match etag {have} of resource."
        )
    unwanted = call.headers.get("if-none-match")
    if unwanted is not None and _etag_matches(unwanted, known):
        raise _precondition_failed(
            f"Etag provided in if-none-match header {unwanted} matches etag"
            f' "{_etag_number(known)}" of resource.'
        )


def advance_etag(resource: Resource, known: Resource | None = None) -> None:
    """Set the ETag of *resource* to the number after that of *known*, which it replaces."""
    # Reported: Compute's ETags are counters in quotes.
    resource.body["etag"] = f'"{_etag_number(known or resource) + 1}"'


def _etag_matches(wanted: str, known: Resource | None) -> bool:
    named = {tag.strip().strip('"') for tag in wanted.split(",")}
    return known is not None and ("*" in named or str(_etag_number(known)) in named)


def _etag_number(resource: Resource | None) -> int:
    return int(resource.body.get("etag", '"0"').strip('"')) if resource else 0


def _precondition_failed(message: str) -> ArmError:
    return ArmError(412, "PreconditionFailed", message)
