"""Gallery versions that were deleted and are not yet gone.

First they can still be used by their exact number, then only be restored, then nothing.
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
_RETENTION_DAYS, _GRACE_DAYS = 7, 0


def keep(session: Session, gallery: Resource, version: Resource, now: dt.datetime) -> None:
    """Keep *version*, which is being deleted, for as long as its gallery's policy says."""
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


def usable(session: Session, version_id: str, time: float) -> Resource | None:
    """The version that machines are made from by its number: what is there, or is retained."""
    found = session.find(version_id)
    if found and found.settling != "Deleting":
        return found
    kept = session.find(_kept_id(version_id))
    return _version(kept) if kept and time < kept.private["usable_until"] else None


def restore(session: Session, version_id: str, place: str, time: float) -> Resource:
    """Take *version_id* out of the bin; raises `ArmError` when it is not in it."""
    kept = session.find(_kept_id(version_id))
    if not kept or not is_kept(kept, time):
        raise ArmError(
            404,
            "NotFound",
            f"There is no soft-deleted gallery image version {version_id} to restore.",
        )
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


def forget(session: Session, version_id: str) -> None:
    """Take a version out of the bin for good."""
    session.remove(_kept_id(version_id))


def require_none(session: Session, scope: str, time: float) -> None:
    """Refuse to delete a gallery or a definition of which there is something in the bin."""
    named = image_id(scope)
    below = _kept_id(f"{scope}/versions/") if named else f"{scope}/softDeletedArtifactTypes/"
    if any(is_kept(one, time) for one in session.list(KIND, below)):
        raise ArmError(
            409,
            "CannotDeleteResource",
            "Can not delete resource before nested resources are deleted: there are soft-deleted"
            " gallery image versions.",
        )


def require_free(session: Session, version_id: str, time: float) -> None:
    """Refuse to create what is in the bin."""
    kept = session.find(_kept_id(version_id))
    if kept and is_kept(kept, time):
        raise ArmError(
            409,
            "Conflict",
            f"The gallery image version {version_id} is soft-deleted. Restore it, or choose"
            " another version.",
        )


def is_kept(kept: Resource, time: float) -> bool:
    """Whether what is in the bin can still be taken out at *time*."""
    return bool(time < kept.private["until"])


def list_of_artifact(call: Call) -> Reply:
    """List the versions of a definition that are in the bin, all on one page."""
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
    return Reply(200, {"value": [one.body for one in found if is_kept(one, call.time)]})


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
