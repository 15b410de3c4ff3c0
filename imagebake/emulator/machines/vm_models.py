"""VM models: validation of the request body and resolution of the image reference."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from imagebake.emulator.errors import ArmError, invalid_parameter
from imagebake.emulator.galleries.soft_deletion import deployable_version
from imagebake.emulator.identifiers import ImageId, image_id, version_numbers
from imagebake.emulator.store import Resource, Session

_VERSIONS = "Microsoft.Compute/galleries/images/versions"


def image_record(version: Resource, session: Session) -> Mapping[str, Any]:
    """Return the image record of *version*; 409 if the image was not built here."""
    record: Mapping[str, Any] | None = session.record(version.id) or version.private.get("record")
    if record is None:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The gallery image {version.id} was not built here, so there is nothing to boot.",
        )
    return record


def find_image_version(
    reference: Mapping[str, Any], place: str, session: Session, time: float
) -> Resource:
    """Resolve an image reference for a VM in region *place* at *time*.

    An image definition resolves to its latest version that is not excluded from latest. Raises
    404 `GalleryImageNotFound` when the version does not exist, or has no complete replica in the
    region.
    """
    named = image_id(reference.get("id"))
    if named is None:
        raise invalid_parameter(
            "The emulator makes machines from gallery image versions only: imageReference.id"
            " must be the id of one, or of its image definition."
        )
    # An image definition's id stands for its latest version.
    if named.version is None:
        return _latest(named, place, session, time)
    version = deployable_version(session, named.text, time)
    if version is None:
        raise ArmError(404, "GalleryImageNotFound", f"The gallery image {named.text} is not found.")
    # Documented text.
    if not has_complete_replica(version, place, time):
        raise ArmError(
            404,
            "GalleryImageNotFound",
            f"The gallery image {version.id} is not available in {place} region. Please contact"
            " image owner to replicate to this region, or change your requested region.",
        )
    return version


def _latest(named: ImageId, place: str, session: Session, time: float) -> Resource:
    found = session.list(_VERSIONS, f"{named.text}/versions/")
    candidates = [
        version
        for version in found
        if _is_shown(version, place) and has_complete_replica(version, place, time)
    ]
    latest = max(
        candidates, key=lambda version: version_numbers(version.name) or (0, 0, 0), default=None
    )
    if latest is None:
        raise ArmError(
            404,
            "GalleryImageNotFound",
            f"There is no latest image version exists for {named.text} in {place} region.",
        )
    return latest


def _is_shown(version: Resource, place: str) -> bool:
    profile = version.properties["publishingProfile"]
    hidden = {
        target["name"] for target in profile["targetRegions"] if target.get("excludeFromLatest")
    }
    return not (profile["excludeFromLatest"] or place in hidden or version.settling == "Deleting")


def has_complete_replica(version: Resource, place: str, time: float) -> bool:
    """Return whether *version* has a complete replica in region *place* at *time*."""
    replica = version.private.get("replicas", {}).get(place)
    return replica is not None and time >= replica["until"] and not replica["fails"]


def machine_properties(given: Mapping[str, Any], version: Resource) -> dict[str, Any]:
    """Return the complete properties of a new VM; 400 `InvalidParameter` if one is missing."""
    for name in ("hardwareProfile", "storageProfile", "osProfile", "networkProfile"):
        if not given.get(name):
            raise invalid_parameter(f"Required parameter '{name}' is missing (null).")
    network = given["networkProfile"]
    if not network.get("networkInterfaces") and not network.get("networkInterfaceConfigurations"):
        raise invalid_parameter("Virtual Machine must have at least one network interface.")
    if not given["hardwareProfile"].get("vmSize"):
        raise invalid_parameter("Required parameter 'vmSize' is missing (null).")
    profile = dict(given["osProfile"])
    for name in ("computerName", "adminUsername"):
        if not profile.get(name):
            raise invalid_parameter(f"Required parameter 'osProfile.{name}' is missing (null).")
    # Write-only in Azure: a GET never returns them.
    for secret in ("adminPassword", "customData"):
        profile.pop(secret, None)
    reference = {
        "id": given["storageProfile"]["imageReference"]["id"],
        "exactVersion": version.name,
    }
    public = {name: value for name, value in given.items() if name != "userData"}
    return public | {
        "vmId": str(uuid.uuid4()),
        "osProfile": profile,
        "storageProfile": dict(given["storageProfile"]) | {"imageReference": reference},
    }


def machine_identity(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `identity` of a new VM, with a principal id if it is system-assigned."""
    given = dict(body.get("identity") or {})
    if not given:
        return {}
    # Every VM gets tokens here, with or without an identity.
    if "SystemAssigned" in str(given.get("type", "")):
        given |= {"principalId": str(uuid.uuid4())}
    return {"identity": given}


def extension_properties(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an extension's public properties; 400 `InvalidParameter` if one is missing."""
    for name in ("publisher", "type", "typeHandlerVersion"):
        if not given.get(name):
            raise invalid_parameter(f"Required parameter '{name}' is missing (null).")
    return {key: value for key, value in given.items() if key != "protectedSettings"}
