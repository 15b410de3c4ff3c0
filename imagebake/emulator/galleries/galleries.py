"""Galleries: Microsoft.Compute/galleries."""

from __future__ import annotations

from typing import Any

from imagebake.emulator import operations
from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import (
    ArmError,
    change_not_allowed,
    invalid_parameter,
    nested_resources_remain,
    resource_not_found,
)
from imagebake.emulator.galleries import soft_deletion
from imagebake.emulator.identifiers import GALLERY
from imagebake.emulator.listing import (
    list_page,
    location,
    present,
    require_group,
    same_location,
    system_data,
)
from imagebake.emulator.store import Resource

KIND = "Microsoft.Compute/galleries"
_GROUP = "/subscriptions/<subscription>/resourcegroups/<group>"
_RULE = f"{_GROUP}/providers/microsoft.compute/galleries"
_UPDATABLE = ("description", "sharingProfile", "softDeletePolicy")


def gallery_id(call: Call) -> str:
    """The id of the gallery that the request is about."""
    return f"{call.scope}/providers/{KIND}/{call.names['gallery']}"


def find_gallery(call: Call) -> Resource:
    """The gallery that the request is about, or a 404."""
    found = call.session.find(gallery_id(call))
    if not found:
        raise resource_not_found(KIND, call.names["gallery"], call.names["group"])
    return found


def put(call: Call) -> Reply:
    """Create a gallery, or update one."""
    require_group(call)
    name, body = call.names["gallery"], call.document()
    if not GALLERY.fullmatch(name):
        raise invalid_parameter(
            "Gallery name is invalid. Allowed characters are English alphanumeric characters,"
            " with underscores, and periods allowed in the middle, up to 80 characters total."
            " All other special characters, including dashes, are disallowed."
        )
    known, place = call.session.find(gallery_id(call)), location(body, KIND)
    same_location(known, place, call.names["group"])
    _unique_in_subscription(call, name)
    if not known:
        call.require_room("galleries", place)
    given = body.get("properties") or {}
    gallery = Resource(
        KIND,
        {
            "name": known.name if known else name,
            "id": known.id if known else gallery_id(call),
            "type": KIND,
            "location": place,
            "tags": body.get("tags") or {},
            "systemData": system_data(call, known),
            "properties": {key: given[key] for key in _UPDATABLE if key in given}
            | {"identifier": {"uniqueName": f"{call.names['subscription']}-{name}".upper()}},
        },
    )
    if body.get("identity"):
        gallery.body["identity"] = body["identity"]
    return store_reply(call, gallery, known)


def _unique_in_subscription(call: Call, name: str) -> None:
    prefix = f"/subscriptions/{call.names['subscription']}/"
    for other in call.session.list(KIND, prefix):
        if other.name.lower() == name.lower() and other.key != gallery_id(call).lower():
            raise ArmError(
                409,
                "GalleryNameNotUnique",
                f"The gallery name '{name}' is not unique within the subscription"
                f" '{call.names['subscription']}'. Please pick another gallery name.",
            )


def store_reply(
    call: Call, resource: Resource, known: Resource | None, *, seconds: float | None = None
) -> Reply:
    """Keep a Compute resource and answer as for a PUT or PATCH of it."""
    took = call.pace.operation if seconds is None else seconds
    resource.settling = "Updating" if known else "Creating"
    resource.settles = call.time + took
    call.session.put(resource)
    operation = operations.begin(
        call.session, resource.id, started=call.time, ended=resource.settles
    )
    place = str(resource.body["location"])
    body = present(resource, call)
    body["properties"]["provisioningState"] = resource.settling
    return Reply(
        200 if known else 201,
        body,
        operations.headers(call, operations.COMPUTE, place, operation),
    )


def delete_reply(call: Call, resource: Resource | None) -> Reply:
    """Delete a Compute resource, if there is one, and answer."""
    if not resource:
        return Reply(204)
    resource.settling, resource.settles = "Deleting", call.time + call.pace.operation
    call.session.put(resource)
    call.session.remove_settled(call.time)
    operation = operations.begin(
        call.session, resource.id, started=call.time, ended=resource.settles
    )
    place = str(resource.body["location"])
    return Reply(
        202,
        None,
        operations.with_location(call, operations.COMPUTE, place, operation),
    )


def patch_body(resource: Resource, body: dict[str, Any]) -> None:
    """Apply the tags of a PATCH; location and ids cannot be changed by one."""
    if "location" in body and body["location"] != resource.body["location"]:
        raise change_not_allowed("location")
    if "tags" in body:
        resource.body["tags"] = body["tags"] or {}


def patch(call: Call) -> Reply:
    """Update a gallery's tags and properties."""
    gallery, body = find_gallery(call), call.document()
    patch_body(gallery, body)
    given = body.get("properties") or {}
    gallery.properties.update({key: given[key] for key in _UPDATABLE if key in given})
    return store_reply(call, gallery, gallery)


def get(call: Call) -> Reply:
    """Show one gallery."""
    return Reply(200, present(find_gallery(call), call))


def list_in_group(call: Call) -> Reply:
    """List the galleries of a resource group."""
    require_group(call)
    return list_page(call, KIND, f"{call.scope}/")


def list_in_subscription(call: Call) -> Reply:
    """List the galleries of a subscription."""
    return list_page(call, KIND, f"/subscriptions/{call.names['subscription']}/")


def delete(call: Call) -> Reply:
    """Delete a gallery, which must be empty."""
    require_group(call)
    gallery = call.session.find(gallery_id(call))
    if gallery and call.session.list(f"{KIND}/images", f"{gallery.key}/", limit=1):
        raise nested_resources_remain()
    if gallery:
        soft_deletion.require_none(call.session, gallery.id, call.time)
    return delete_reply(call, gallery)


ROUTES = (
    Route("PUT", f"{_RULE}/<gallery>", put),
    Route("PATCH", f"{_RULE}/<gallery>", patch),
    Route("GET", f"{_RULE}/<gallery>", get),
    Route("DELETE", f"{_RULE}/<gallery>", delete),
    Route("GET", _RULE, list_in_group),
    Route(
        "GET",
        "/subscriptions/<subscription>/providers/microsoft.compute/galleries",
        list_in_subscription,
    ),
)
