"""Soft deletion of image versions.

A soft-deleted version can be deployed by its exact version until the retention period ends, and
restored until the grace period ends. Then it is gone.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route, stamp
from imagebake.emulator.errors import ArmError
from imagebake.emulator.identifiers import image_id
from imagebake.emulator.store import Resource, Session

KIND = "Microsoft.Compute/galleries/softDeletedArtifactTypes/artifacts/versions"
_RULE = (
    "/subscriptions/<subscription>/resourcegroups/<group>/providers/microsoft.compute"
    "/galleries/<gallery>/softdeletedartifacttypes/<type>/artifacts/<artifact>/versions"
)
# Documented: 7 days of retention. Assumed: no grace period unless set.
_RETENTION_DAYS, _GRACE_DAYS = 7, 0


def soft_delete(session: Session, gallery: Resource, version: Resource, now: dt.datetime) -> None:
    """Keep *version*, which is being deleted, as the gallery's `softDeletePolicy` prescribes."""
    policy = gallery.properties.get("softDeletePolicy") or {}
    if not policy.get("isSoftDeleteEnabled"):
        return
    retention = dt.timedelta(days=policy.get("retentionPeriodInDays", _RETENTION_DAYS))
    grace = dt.timedelta(days=policy.get("gracePeriodInDays", _GRACE_DAYS))
    session.put(
        Resource(
            KIND,
            {
                "id": _kept_id(version.id),
                "name": version.name,
                "type": KIND,
                "location": version.body["location"],
                "tags": version.body["tags"],
                "properties": {
                    "resourceArmId": version.id,
                    "softDeletedArtifactType": "Images",
                    "softDeletedTime": stamp(now),
                    "consumptionEndTime": stamp(now + retention),
                    "hardDeletionTargetTime": stamp(now + retention + grace),
                },
            },
            {
                "body": version.body,
                "private": version.private,
                "state": version.state,
                "record": session.record(version.id),
                "usable_until": (now + retention).timestamp(),
                "until": (now + retention + grace).timestamp(),
            },
        )
    )


def deployable_version(session: Session, version_id: str, time: float) -> Resource | None:
    """Return the version that VMs can be deployed from: existing, or in its retention period."""
    found = session.find(version_id)
    if found and found.settling != "Deleting":
        return found
    kept = session.find(_kept_id(version_id))
    return _version(kept) if kept and time < kept.private["usable_until"] else None


def restore(session: Session, version_id: str, place: str, time: float) -> Resource:
    """Restore *version_id*; 404 unless it is soft-deleted, 409 in another location."""
    kept = session.find(_kept_id(version_id))
    if not kept or not is_restorable(kept, time):
        raise ArmError(
            404,
            "NotFound",
            f"There is no soft-deleted gallery image version {version_id} to restore.",
        )
    # Documented: restored in its home region only; the codes are assumed.
    if kept.body["location"] != place:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The soft-deleted gallery image version is restored in location"
            f" '{kept.body['location']}', not in '{place}'.",
        )
    if kept.private["record"]:
        session.keep_record(version_id, kept.private["record"])
    session.remove(kept.id)
    return _version(kept)


def purge(session: Session, version_id: str) -> None:
    """Delete a soft-deleted version permanently."""
    session.remove(_kept_id(version_id))


def require_no_soft_deleted(session: Session, scope: str, time: float) -> None:
    """Refuse to delete a gallery or definition that has soft-deleted versions: 409."""
    named = image_id(scope)
    below = _kept_id(f"{scope}/versions/") if named else f"{scope}/softDeletedArtifactTypes/"
    # Documented only for galleries and definitions with versions; assumed for soft-deleted ones.
    if any(is_restorable(kept, time) for kept in session.list(KIND, below)):
        raise ArmError(
            409,
            "CannotDeleteResource",
            "Can not delete resource before nested resources are deleted: there are soft-deleted"
            " gallery image versions.",
        )


def require_not_soft_deleted(session: Session, version_id: str, time: float) -> None:
    """Refuse to create a version that is soft-deleted: 409 `Conflict`."""
    kept = session.find(_kept_id(version_id))
    if kept and is_restorable(kept, time):
        raise ArmError(
            409,
            "Conflict",
            f"The gallery image version {version_id} is soft-deleted. Restore it, or choose"
            " another version.",
        )


def is_restorable(kept: Resource, time: float) -> bool:
    """Return whether a soft-deleted version can still be restored at *time*."""
    return bool(time < kept.private["until"])


def list_of_artifact(call: Call) -> Reply:
    """List the soft-deleted versions of a definition, all on one page."""
    if call.names["type"].lower() != "images":
        raise ArmError(
            400,
            "InvalidParameter",
            f"The value '{call.names['type']}' of parameter 'artifactType' is invalid.",
        )
    gallery = f"{call.scope}/providers/Microsoft.Compute/galleries/{call.names['gallery']}"
    found = call.session.list(
        KIND, _kept_id(f"{gallery}/images/{call.names['artifact']}/versions/")
    )
    return Reply(200, {"value": [kept.body for kept in found if is_restorable(kept, call.time)]})


def _version(kept: Resource) -> Resource:
    known: dict[str, Any] = kept.private
    return Resource(
        "Microsoft.Compute/galleries/images/versions",
        known["body"],
        known["private"] | {"record": known["record"], "soft_deleted": True},
        state=known["state"],
    )


def _kept_id(version_id: str) -> str:
    gallery, _, rest = version_id.lower().partition("/images/")
    return f"{gallery}/softdeletedartifacttypes/images/artifacts/{rest}"


ROUTES = (Route("GET", _RULE, list_of_artifact),)
