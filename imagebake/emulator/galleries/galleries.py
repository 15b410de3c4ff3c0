"""Galleries: Microsoft.Compute/galleries."""

from __future__ import annotations

from typing import Any

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
from imagebake.emulator.operations import accept_delete, accept_write
from imagebake.emulator.resources import (
    list_page,
    location,
    present,
    require_group,
    require_same_location,
    system_data,
)
from imagebake.emulator.store import Resource

KIND = "Microsoft.Compute/galleries"
_GROUP = "/subscriptions/<subscription>/resourcegroups/<group>"
_RULE = f"{_GROUP}/providers/microsoft.compute/galleries"
_UPDATABLE = ("description", "sharingProfile", "softDeletePolicy")


def gallery_id(call: Call) -> str:
    """Return the id of the gallery that the request addresses."""
    return f"{call.scope}/providers/{KIND}/{call.names['gallery']}"


def find_gallery(call: Call) -> Resource:
    """Return the addressed gallery; 404 `ResourceNotFound` if it does not exist."""
    found = call.session.find(gallery_id(call))
    if not found:
        raise resource_not_found(KIND, call.names["gallery"], call.names["group"])
    return found


def put(call: Call) -> Reply:
    """Create or update a gallery."""
    require_group(call)
    name, body = call.names["gallery"], call.document()
    if not GALLERY.fullmatch(name):
        raise invalid_parameter(
            "Gallery name is invalid. Allowed characters are English alphanumeric characters,"
            " with underscores, and periods allowed in the middle, up to 80 characters total."
            " All other special characters, including dashes, are disallowed."
        )
    known, place = call.session.find(gallery_id(call)), location(body, KIND)
    require_same_location(known, place, call.names["group"])
    # Documented: unique in the subscription, not only in the group.
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
    return accept_write(call, gallery, known)


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


def patch_body(resource: Resource, body: dict[str, Any]) -> None:
    """Apply the tags of a PATCH; refuse a change of the location."""
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
    return accept_write(call, gallery, gallery)


def get(call: Call) -> Reply:
    """GET a gallery."""
    return Reply(200, present(find_gallery(call), call))


def list_in_group(call: Call) -> Reply:
    """List the galleries of a resource group."""
    require_group(call)
    return list_page(call, KIND, f"{call.scope}/")


def list_in_subscription(call: Call) -> Reply:
    """List the galleries of a subscription."""
    return list_page(call, KIND, f"/subscriptions/{call.names['subscription']}/")


def delete(call: Call) -> Reply:
    """Delete a gallery; 409 `CannotDeleteResource` unless it is empty."""
    require_group(call)
    gallery = call.session.find(gallery_id(call))
    if gallery and call.session.list(f"{KIND}/images", f"{gallery.key}/", limit=1):
        raise nested_resources_remain()
    if gallery:
        soft_deletion.require_no_soft_deleted(call.session, gallery.id, call.time)
    return accept_delete(call, gallery)


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
