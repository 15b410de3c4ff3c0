"""How many galleries, definitions and versions a subscription may have in a region."""

from __future__ import annotations

from dataclasses import dataclass

from imagebake.emulator.errors import ArmError
from imagebake.emulator.store import Session

_KINDS = {
    "galleries": ("microsoft.compute/galleries", "Galleries"),
    "definitions": ("microsoft.compute/galleries/images", "GalleryImages"),
    "versions": ("microsoft.compute/galleries/images/versions", "GalleryImageVersions"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """What Azure documents: so many for a subscription in each region."""

    galleries: int = 100
    definitions: int = 1_000
    versions: int = 10_000

    def require_room(self, session: Session, what: str, subscription: str, place: str) -> None:
        """Refuse one more of *what*, such as `versions`, in region *place*."""
        kind, name = _KINDS[what]
        most: int = getattr(self, what)
        used = session.count(kind, f"/subscriptions/{subscription}/", place)
        if used >= most:
            raise ArmError(
                409,
                "OperationNotAllowed",
                "Operation could not be completed as it results in exceeding approved"
                f" {name} quota. Additional details - Deployment Model: Resource Manager,"
                f" Location: {place}, Current Limit: {most}, Current Usage: {used}, Additional"
                f" Required: 1, (Minimum) New Limit Required: {used + 1}.",
            )
