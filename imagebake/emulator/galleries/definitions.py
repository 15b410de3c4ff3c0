"""Image definitions: Microsoft.Compute/galleries/images."""

from __future__ import annotations

import re
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import (
    ArmError,
    change_not_allowed,
    invalid_parameter,
    nested_resources_remain,
    parent_not_found,
    resource_not_found,
)
from imagebake.emulator.galleries import soft_deletion
from imagebake.emulator.galleries.galleries import find_gallery, gallery_id, patch_body
from imagebake.emulator.galleries.publishing import require_future_end_of_life
from imagebake.emulator.identifiers import DEFINITION
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

KIND = "Microsoft.Compute/galleries/images"
_RULE = (
    "/subscriptions/<subscription>/resourcegroups/<group>/providers/microsoft.compute"
    "/galleries/<gallery>/images"
)
# Documented: api-version that made Trusted Launch the default.
_TRUSTED_LAUNCH_DEFAULT_SINCE = "2025-03-03"
# Documented: these and the identifier never change; features only with allowUpdateImage.
_IMMUTABLE = ("osType", "osState", "hyperVGeneration", "architecture")
_IDENTIFIER_LENGTHS = {"publisher": 128, "offer": 64, "sku": 64}
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]")
_CHOICES = {
    "osType": ("Linux", "Windows"),
    "osState": ("Generalized", "Specialized"),
    "hyperVGeneration": ("V1", "V2"),
    "architecture": ("x64", "Arm64"),
}
_KEPT = (
    *_CHOICES,
    "description",
    "eula",
    "privacyStatementUri",
    "releaseNoteUri",
    "endOfLifeDate",
    "identifier",
    "recommended",
    "disallowed",
    "purchasePlan",
    "features",
    "allowUpdateImage",
)


def definition_id(call: Call) -> str:
    """Return the id of the definition that the request addresses."""
    return f"{gallery_id(call)}/images/{call.names['definition']}"


def find_definition(call: Call) -> Resource:
    """Return the addressed definition; 404 `ResourceNotFound` if it does not exist."""
    found = call.session.find(definition_id(call))
    if not found:
        names = f"{call.names['gallery']}/{call.names['definition']}"
        raise resource_not_found(KIND, names, call.names["group"])
    return found


def security_type(definition: Resource) -> str:
    """Return the definition's `SecurityType` feature; `Standard` without that feature."""
    for feature in definition.properties.get("features") or ():
        if feature.get("name") == "SecurityType":
            return str(feature.get("value"))
    return "Standard"


def put(call: Call) -> Reply:
    """Create or update a definition."""
    require_group(call)
    if not call.session.find(gallery_id(call)):
        raise parent_not_found(call.names["gallery"])
    name, body = call.names["definition"], call.document()
    if not DEFINITION.fullmatch(name):
        raise invalid_parameter(
            f"The entity name '{name}' is invalid according to its validation rule:"
            r" ^[^_\W][\w-._]{0,79}(?<![-.])$."
        )
    known, place = call.session.find(definition_id(call)), location(body, KIND)
    require_same_location(known, place, call.names["group"])
    requested = body.get("properties") or {}
    properties = {key: requested[key] for key in _KEPT if requested.get(key) is not None}
    _apply_defaults(properties, known, call.api_version)
    _check(properties, call, known)
    if not known:
        call.require_room("definitions", place)
    definition = Resource(
        KIND,
        {
            "name": known.name if known else name,
            "id": known.id if known else definition_id(call),
            "type": KIND,
            "location": place,
            "tags": body.get("tags") or {},
            "systemData": system_data(call, known),
            "properties": properties,
        },
    )
    return accept_write(call, definition, known)


def _apply_defaults(properties: dict[str, Any], known: Resource | None, version: str) -> None:
    """Fill in the service's defaults.

    From api-version 2025-03-03 on, the defaults are generation 2 and Trusted Launch.
    """
    if known:
        for key in (*_IMMUTABLE, "features"):
            if key in known.properties:
                properties.setdefault(key, known.properties[key])
        return
    modern = version >= _TRUSTED_LAUNCH_DEFAULT_SINCE
    properties.setdefault("hyperVGeneration", "V2" if modern else "V1")
    properties.setdefault("architecture", "x64")
    features = properties.setdefault("features", [])
    named = any(feature.get("name") == "SecurityType" for feature in features)
    if modern and not named and properties["hyperVGeneration"] == "V2":
        features.append({"name": "SecurityType", "value": "TrustedLaunchSupported"})


def _check(properties: dict[str, Any], call: Call, known: Resource | None) -> None:
    for key, choices in _CHOICES.items():
        if key not in properties:
            raise invalid_parameter(
                f"Required parameter 'galleryImage.properties.{key}' is missing (null)."
            )
        if properties[key] not in choices:
            raise invalid_parameter(
                f"The value '{properties[key]}' of parameter 'galleryImage.properties.{key}' is"
                f" invalid. Allowed values are: {', '.join(choices)}."
            )
    _check_identifier(properties.get("identifier") or {})
    if known:
        _check_unchanged(properties, known)
    else:
        # Documented: publisher, offer and sku are unique within a gallery.
        _check_unique(properties["identifier"], call)
    # A date that has passed since may stay; only a new one must lie ahead.
    if not known or known.properties.get("endOfLifeDate") != properties.get("endOfLifeDate"):
        require_future_end_of_life(properties.get("endOfLifeDate"), call.now)


def _check_identifier(identifier: dict[str, Any]) -> None:
    for field, longest in _IDENTIFIER_LENGTHS.items():
        value = str(identifier.get(field) or "")
        if len(value) > longest or not _IDENTIFIER.fullmatch(value):
            raise invalid_parameter(
                f"Asset name galleryImage.properties.identifier.{field} is not valid. It cannot"
                " be empty. Allowed characters are uppercase or lowercase letters, digits,"
                " hyphen(-), period (.), underscore (_). Names are not allowed to end with"
                f" period(.). The length of the name cannot exceed {longest} characters."
            )


def _check_unchanged(properties: dict[str, Any], known: Resource) -> None:
    for key in _IMMUTABLE:
        if properties.get(key) != known.properties.get(key):
            raise change_not_allowed(f"galleryImage.properties.{key}")
    for field in _IDENTIFIER_LENGTHS:
        if properties["identifier"][field] != known.properties["identifier"][field]:
            raise change_not_allowed(f"galleryImage.properties.identifier.{field}")
    features_change = properties.get("features") != known.properties.get("features")
    if features_change and not properties.get("allowUpdateImage"):
        raise change_not_allowed("galleryImage.properties.features")


def _check_unique(identifier: dict[str, Any], call: Call) -> None:
    wanted = _triple(identifier)
    for other in call.session.list(KIND, f"{gallery_id(call)}/"):
        if _triple(other.properties["identifier"]) == wanted:
            raise ArmError(
                409,
                "Conflict",
                f"Gallery image: {other.name} identified by (publisher:"
                f"{identifier['publisher']}, offer:{identifier['offer']}, sku:"
                f"{identifier['sku']}) already exists. Choose a different publisher, offer, sku"
                " combination.",
            )


def _triple(identifier: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(identifier[field]).lower() for field in _IDENTIFIER_LENGTHS)


def patch(call: Call) -> Reply:
    """Update a definition's tags and mutable properties."""
    definition, body = find_definition(call), call.document()
    patch_body(definition, body)
    given = body.get("properties") or {}
    merged = definition.properties | {k: v for k, v in given.items() if k in _KEPT}
    _check(merged, call, definition)
    definition.body["properties"] = merged
    return accept_write(call, definition, definition)


def get(call: Call) -> Reply:
    """GET a definition."""
    return Reply(200, present(find_definition(call), call))


def list_in_gallery(call: Call) -> Reply:
    """List the definitions of a gallery."""
    return list_page(call, KIND, f"{find_gallery(call).id}/images/")


def delete(call: Call) -> Reply:
    """Delete a definition; 409 `CannotDeleteResource` if it has versions."""
    require_group(call)
    definition = call.session.find(definition_id(call))
    if definition and call.session.list(f"{KIND}/versions", f"{definition.key}/", limit=1):
        raise nested_resources_remain()
    if definition:
        soft_deletion.require_no_soft_deleted(call.session, definition.id, call.time)
    return accept_delete(call, definition)


ROUTES = (
    Route("PUT", f"{_RULE}/<definition>", put),
    Route("PATCH", f"{_RULE}/<definition>", patch),
    Route("GET", f"{_RULE}/<definition>", get),
    Route("DELETE", f"{_RULE}/<definition>", delete),
    Route("GET", _RULE, list_in_gallery),
)
