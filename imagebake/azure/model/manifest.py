"""The manifest of a bake: inputs, resulting version, time and duration."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from pydantic import ValidationError

from imagebake.azure.model.gallery import TAG_COMMIT, GalleryVersion
from imagebake.spec.model.base import Value
from imagebake.spec.plan import BakePlan


class BakeManifest(Value):
    """The record stored with an image version, of facts that the image alone does not show.

    *contents* is the manifest inside the image. *content_sha256* is the digest of the whole
    root file system; None from Azure's builder, which does not report it. *baked_at* is in
    UTC; *seconds* has the duration of every part of the bake that ran.
    """

    manifest_version: Literal[1] = 1
    image: str
    version_id: str
    definition: str
    version: str
    bake_key: str
    lock_sha256: str
    spec_sha256: str
    template_sha256: str | None = None
    rendered_by: str | None = None
    commit: str | None = None
    content_sha256: str | None = None
    source: str
    regions: tuple[str, ...]
    baked_at: str
    seconds: dict[str, float]
    contents: dict[str, Any]

    @classmethod
    def of(
        cls,
        plan: BakePlan,
        version: GalleryVersion,
        *,
        now: dt.datetime,
        template_sha256: str | None,
        content_sha256: str | None,
        seconds: Mapping[str, float],
    ) -> Self:
        """Return the manifest of *version*, which was baked by *plan*."""
        return cls(
            image=plan.spec.name,
            version_id=version.id,
            definition=version.definition,
            version=str(version.version),
            bake_key=plan.bake_key,
            lock_sha256=plan.lock_sha256,
            spec_sha256=plan.spec_sha256,
            template_sha256=template_sha256,
            rendered_by=plan.rendered_by,
            commit=version.tags.get(TAG_COMMIT),
            content_sha256=content_sha256,
            source=plan.spec.source.urn,
            regions=tuple(sorted(version.regions)),
            baked_at=now.astimezone(dt.UTC).isoformat(timespec="seconds"),
            seconds=dict(seconds),
            contents=json.loads(plan.manifest),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeResult:
    """The version that a plan asks for; *made* when this bake created it."""

    image: str
    version: GalleryVersion
    made: bool
    manifest: BakeManifest

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {
            "image": self.image,
            "made": self.made,
            "version": self.version.to_json(),
            "manifest": self.manifest.to_json(),
        }


class Records(Protocol):
    """Store of small records of an image version, by name; a mirror implements it."""

    def recorded(self, name: str) -> bytes | None:
        """Return the record *name*, or None."""

    def record(self, name: str, content: bytes) -> None:
        """Write the record *name* atomically, replacing an earlier one."""


def read_manifest(content: bytes | None) -> BakeManifest | None:
    """Parse a manifest; None for one of another version or malformed."""
    try:
        return BakeManifest.model_validate_json(content) if content else None
    except ValidationError:
        return None


def record_name(
    gallery: str, definition: str, version: object, record: str = "manifest.json"
) -> str:
    """Return the name under which a record of an image version is stored."""
    return f"{gallery}/{definition}/{version}/{record}"
