"""The manifest of a bake: what was made, from what, when and how long it took."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from imagebake.model.values import Value


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
    template_sha256: str | None
    commit: str | None
    content_sha256: str | None
    source: str
    regions: tuple[str, ...]
    baked_at: str
    seconds: dict[str, float]
    contents: dict[str, Any]


class Records(Protocol):
    """Small files that belong to what was made, by name; a mirror keeps them."""

    def recorded(self, name: str) -> bytes | None:
        """The record *name*, or None."""

    def record(self, name: str, content: bytes) -> None:
        """Put the record *name*, whole or not at all, in the place of an earlier one."""


def record_name(gallery: str, definition: str, version: object) -> str:
    """Where the manifest of an image version is kept."""
    return f"{gallery}/{definition}/{version}/manifest.json"
