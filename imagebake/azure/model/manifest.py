"""The manifest of a bake: what was made, from what, when and how long it took."""

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
    """What is stored with an image version and cannot be told from the image alone.

    *contents* is the manifest that the image itself carries. *content_sha256* is the digest
    of the whole root file system, where the builder can tell; Azure's cannot. *baked_at* is
    in UTC; *seconds* has a time for every part of the bake that was carried out.
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
        """The manifest of *version*, which carries out *plan*."""
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
    """The version that has what the plan asks for; *made* when this bake made it."""

    image: str
    version: GalleryVersion
    made: bool
    manifest: BakeManifest

    def to_json(self) -> dict[str, Any]:
        """The result for programs."""
        return {
            "image": self.image,
            "made": self.made,
            "version": self.version.to_json(),
            "manifest": self.manifest.to_json(),
        }


class Records(Protocol):
    """Small files that belong to what was made, by name; a mirror keeps them."""

    def recorded(self, name: str) -> bytes | None:
        """The record *name*, or None."""

    def record(self, name: str, content: bytes) -> None:
        """Put the record *name*, whole or not at all, in the place of an earlier one."""


def read_manifest(content: bytes | None) -> BakeManifest | None:
    """The manifest in a record; None for what is no manifest of this version of ours."""
    try:
        return BakeManifest.model_validate_json(content) if content else None
    except ValidationError:
        return None


def record_name(
    gallery: str, definition: str, version: object, record: str = "manifest.json"
) -> str:
    """Where a record of an image version is kept: its manifest, unless another is named."""
    return f"{gallery}/{definition}/{version}/{record}"
