"""Image versions: Microsoft.Compute/galleries/images/versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagebake.emulator.calls import Call, Pace, Reply, Route, stamp_of
from imagebake.emulator.errors import (
    ArmError,
    change_not_allowed,
    invalid_parameter,
    parent_not_found,
    resource_not_found,
)
from imagebake.emulator.galleries import publishing, soft_deletion
from imagebake.emulator.galleries.definitions import definition_id, find_definition
from imagebake.emulator.galleries.galleries import find_gallery, patch_body
from imagebake.emulator.galleries.publishing import (
    end_of_life,
    publishing_profile,
    require_future_end_of_life,
)
from imagebake.emulator.identifiers import image_id, version_numbers
from imagebake.emulator.operations import accept_delete, accept_write
from imagebake.emulator.resources import (
    list_page,
    location,
    present,
    require_group,
    require_same_location,
    system_data,
)
from imagebake.emulator.store import Resource, Session

KIND = "Microsoft.Compute/galleries/images/versions"
_RULE = (
    "/subscriptions/<subscription>/resourcegroups/<group>/providers/microsoft.compute"
    "/galleries/<gallery>/images/<definition>/versions"
)
# Assumed: removing replicated regions is allowed by default.
_SAFETY = {"allowDeletionOfReplicatedLocations": True, "blockDeletionBeforeEndOfLife": False}


def version_id(call: Call) -> str:
    """Return the id of the version that the request addresses."""
    return f"{definition_id(call)}/versions/{call.names['version']}"


def find_version(call: Call) -> Resource:
    """Return the addressed version; 404 `ResourceNotFound` if it does not exist."""
    found = call.session.find(version_id(call))
    if not found:
        names = "/".join(call.names[part] for part in ("gallery", "definition", "version"))
        raise resource_not_found(KIND, names, call.names["group"])
    return found


def new_version(
    version: str,
    *,
    place: str,
    tags: Mapping[str, str],
    profile: Mapping[str, Any],
    source: Mapping[str, Any],
    definition: Resource,
    time: float,
    pace: Pace,
) -> Resource:
    """Return a new version of *definition* with its replication begun; the caller stores it."""
    osdisk = {"hostCaching": "ReadOnly", "sizeInGB": 30, "source": {}}
    resource = Resource(
        KIND,
        {
            "name": version,
            "id": f"{definition.id}/versions/{version}",
            "type": KIND,
            "location": place,
            "tags": dict(tags),
            "properties": {
                "publishingProfile": dict(profile) | {"publishedDate": stamp_of(time)},
                "storageProfile": {"osDiskImage": osdisk} | dict(source),
                "safetyProfile": dict(_SAFETY),
            },
        },
    )
    regions = [region["name"] for region in profile["targetRegions"]]
    publishing.replicate(resource, regions, pace, time)
    resource.settling = "Creating"
    resource.settles = time + publishing.seconds_until_replicated(resource, pace, time)
    return resource


def put(call: Call) -> Reply:
    """Create a version, restore a soft-deleted one, or update an existing one."""
    require_group(call)
    definition = call.session.find(definition_id(call))
    if not definition:
        raise parent_not_found(f"{call.names['gallery']}/{call.names['definition']}")
    name, body = call.names["version"], call.document()
    if not version_numbers(name):
        raise invalid_parameter(
            "The image version name is invalid. The image version name should follow Major(int)."
            "Minor(int).Patch(int) format, for e.g: 1.0.0, 2018.12.1 etc."
        )
    known, place = call.session.find(version_id(call)), location(body, KIND)
    require_same_location(known, place, call.names["group"])
    given = body.get("properties") or {}
    if known:
        known.body["tags"] = body.get("tags") or {}
        return _update(call, known, given)
    if given.get("restore"):
        version = soft_deletion.restore(call.session, version_id(call), place, call.time)
        return accept_write(call, version, None)
    soft_deletion.require_not_soft_deleted(call.session, version_id(call), call.time)
    storage = _source(given, call.session)
    profile = publishing_profile(given.get("publishingProfile") or {}, place)
    call.require_room("versions", place)
    require_future_end_of_life(profile.get("endOfLifeDate"), call.now)
    version = new_version(
        name,
        place=place,
        tags=body.get("tags") or {},
        profile=profile,
        source=storage,
        definition=definition,
        time=call.time,
        pace=call.pace,
    )
    version.properties["safetyProfile"].update(given.get("safetyProfile") or {})
    version.body["systemData"] = system_data(call, None)
    # Without this, a copied version could not boot.
    _inherit_record(call.session, storage, version)
    seconds = version.settles - call.time
    return accept_write(call, version, None, seconds=seconds)


def _source(given: Mapping[str, Any], session: Session) -> dict[str, Any]:
    """Return the storage profile; 404 if its source is an image version that does not exist."""
    storage: dict[str, Any] = given.get("storageProfile") or {}
    source = storage.get("source") or {}
    disk = (storage.get("osDiskImage") or {}).get("source") or {}
    named = source.get("id") or source.get("virtualMachineId") or disk.get("id")
    named = named or disk.get("uri") or source.get("communityGalleryImageId")
    if not named:
        raise invalid_parameter(
            "The gallery artifact version source can only be specified either directly under"
            " storageProfile or within individual OS or data disks. One and only one source"
            " type (user image, snapshot, disk, virtual machine) can be provided."
        )
    if image_id(named) and not session.find(str(named)):
        raise ArmError(
            404,
            "NotFound",
            f"Source was not found: {named}. Please make sure the source exists.",
        )
    return storage


def _inherit_record(session: Session, storage: Mapping[str, Any], version: Resource) -> None:
    """Copy the image record, since a version made from another one holds the same image."""
    record = session.record(str((storage.get("source") or {}).get("id", "")))
    if record:
        session.keep_record(version.id, record)


def require_settled(call: Call, version: Resource) -> None:
    """Refuse to change a version while an earlier operation is in progress: 409 `Conflict`."""
    # Reported; assumed to cover replication in progress.
    if call.time < version.settles:
        raise ArmError(
            409,
            "Conflict",
            "The request failed due to conflict with a concurrent request. To resolve it, please"
            " refer to https://aka.ms/activitylog to get more details on the conflicting"
            " requests.",
        )


def _update(call: Call, version: Resource, given: Mapping[str, Any]) -> Reply:
    require_settled(call, version)
    _check_same_source(version, given)
    profile = version.properties["publishingProfile"]
    changed = profile | (given.get("publishingProfile") or {})
    updated = publishing_profile(changed, version.body["location"])
    if updated.get("endOfLifeDate") != profile.get("endOfLifeDate"):
        require_future_end_of_life(updated.get("endOfLifeDate"), call.now)
    regions = [region["name"] for region in updated["targetRegions"]]
    removed = sorted(set(version.private["replicas"]) - set(regions))
    version.properties["safetyProfile"].update(given.get("safetyProfile") or {})
    if removed and not version.properties["safetyProfile"]["allowDeletionOfReplicatedLocations"]:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Removing the gallery image version from the replicated region '{removed[0]}' is not"
            " allowed because allowDeletionOfReplicatedLocations is false.",
        )
    version.properties["publishingProfile"] = updated
    publishing.replicate(version, regions, call.pace, call.time)
    seconds = publishing.seconds_until_replicated(version, call.pace, call.time)
    return accept_write(call, version, version, seconds=seconds)


def _check_same_source(version: Resource, given: Mapping[str, Any]) -> None:
    requested = ((given.get("storageProfile") or {}).get("source") or {}).get("id")
    known = (version.properties["storageProfile"].get("source") or {}).get("id")
    if requested and str(requested).lower() != str(known).lower():
        raise change_not_allowed("galleryImageVersion.properties.storageProfile.source.id")


def patch(call: Call) -> Reply:
    """Update a version's tags, publishing profile and safety profile."""
    version, body = find_version(call), call.document()
    patch_body(version, body)
    return _update(call, version, body.get("properties") or {})


def shown(version: Resource, call: Call) -> dict[str, Any]:
    """Render the version, with `$expand=ReplicationStatus` its replication status."""
    body = present(version, call)
    if call.query.get("$expand") == "ReplicationStatus":
        status = publishing.replication_status(version, call.time)
        body["properties"]["replicationStatus"] = status
    return body


def get(call: Call) -> Reply:
    """GET a version."""
    return Reply(200, shown(find_version(call), call))


def list_of_definition(call: Call) -> Reply:
    """List the versions of a definition."""
    return list_page(call, KIND, f"{find_definition(call).id}/versions/")


def delete(call: Call) -> Reply:
    """Delete a version; 409 while `blockDeletionBeforeEndOfLife` protects it."""
    require_group(call)
    version = call.session.find(version_id(call))
    if version and version.properties["safetyProfile"]["blockDeletionBeforeEndOfLife"]:
        end = end_of_life(version.properties["publishingProfile"].get("endOfLifeDate"))
        if end and end > call.now:
            raise ArmError(
                409,
                "DeleteGalleryImageVersionBlockedBeforeEndOfLife",
                "Deletion of Gallery image version is not allowed because the image is enabled"
                " for blockDeletionBeforeEndOfLife and its endOfLifeDate has not reached yet.",
            )
    # `bypassSoftDelete`: query keys are in lower case here.
    if call.query.get("bypasssoftdelete", "").lower() == "true":
        soft_deletion.purge(call.session, version_id(call))
    # Documented: a version in use can be deleted; no VM can be created from it any more.
    elif version and version.settling != "Deleting":
        soft_deletion.soft_delete(call.session, find_gallery(call), version, call.now)
    return accept_delete(call, version)


ROUTES = (
    Route("PUT", f"{_RULE}/<version>", put),
    Route("PATCH", f"{_RULE}/<version>", patch),
    Route("GET", f"{_RULE}/<version>", get),
    Route("DELETE", f"{_RULE}/<version>", delete),
    Route("GET", _RULE, list_of_definition),
)
