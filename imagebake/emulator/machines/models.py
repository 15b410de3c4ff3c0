"""What a machine's body must say, and the image that it is made from."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from imagebake.emulator.errors import ArmError, invalid_parameter
from imagebake.emulator.galleries.soft_deletion import usable
from imagebake.emulator.identifiers import ImageId, image_id, version_numbers
from imagebake.emulator.store import Resource, Session

_VERSIONS = "Microsoft.Compute/galleries/images/versions"


def image_record(version: Resource, session: Session) -> Mapping[str, Any]:
    """What is in *version*; an `ArmError` when it was not built here."""
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
    """The gallery version that machines in region *place* are made from at *time*.

    A definition stands for the latest version that region shows. Raises `ArmError` for what
    does not exist, or has no complete copy in the region.
    """
    named = image_id(reference.get("id"))
    if named is None:
        raise invalid_parameter(
            "The emulator makes machines from gallery image versions only: imageReference.id"
            " must be the id of one, or of its image definition."
        )
    if named.version is None:
        return _latest(named, place, session, time)
    version = usable(session, named.text, time)
    if version is None:
        raise ArmError(404, "GalleryImageNotFound", f"The gallery image {named.text} is not found.")
    if not has_copy(version, place, time):
        raise ArmError(
            404,
            "GalleryImageNotFound",
            f"The gallery image {version.id} is not available in {place} region. Please contact"
            " image owner to replicate to this region, or change your requested region.",
        )
    return version


def _latest(named: ImageId, place: str, session: Session, time: float) -> Resource:
    found = session.list(_VERSIONS, f"{named.text}/versions/")
    shown = [one for one in found if _is_shown(one, place) and has_copy(one, place, time)]
    latest = max(shown, key=lambda one: version_numbers(one.name) or (0, 0, 0), default=None)
    if latest is None:
        raise ArmError(
            404,
            "GalleryImageNotFound",
            f"There is no latest image version exists for {named.text} in {place} region.",
        )
    return latest


def _is_shown(version: Resource, place: str) -> bool:
    profile = version.properties["publishingProfile"]
    hidden = {one["name"] for one in profile["targetRegions"] if one.get("excludeFromLatest")}
    return not (profile["excludeFromLatest"] or place in hidden or version.settling == "Deleting")


def has_copy(version: Resource, place: str, time: float) -> bool:
    """Whether *version* has a complete copy in region *place* at *time*."""
    copy = version.private.get("replicas", {}).get(place)
    return copy is not None and time >= copy["until"] and not copy["fails"]


def machine_properties(given: Mapping[str, Any], version: Resource) -> dict[str, Any]:
    """The properties of a new machine, complete; raises `ArmError` for what is missing."""
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
    for secret in ("adminPassword", "customData"):
        profile.pop(secret, None)
    reference = {
        "id": given["storageProfile"]["imageReference"]["id"],
        "exactVersion": version.name,
    }
    shown = {name: value for name, value in given.items() if name != "userData"}
    return shown | {
        "vmId": str(uuid.uuid4()),
        "osProfile": profile,
        "storageProfile": dict(given["storageProfile"]) | {"imageReference": reference},
    }


def machine_identity(body: Mapping[str, Any]) -> dict[str, Any]:
    """The `identity` of a new machine, with the principal that one of its own is given."""
    given = dict(body.get("identity") or {})
    if not given:
        return {}
    if "SystemAssigned" in str(given.get("type", "")):
        given |= {"principalId": str(uuid.uuid4())}
    return {"identity": given}


def extension_properties(given: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of an extension; raises `ArmError` for what is missing."""
    for name in ("publisher", "type", "typeHandlerVersion"):
        if not given.get(name):
            raise invalid_parameter(f"Required parameter '{name}' is missing (null).")
    return {key: value for key, value in given.items() if key != "protectedSettings"}
