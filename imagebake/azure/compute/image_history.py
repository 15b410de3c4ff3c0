"""The versions of an image in a gallery, as `versions` and `show` present them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.gallery import TAG_COMMIT, GalleryVersion, latest
from imagebake.azure.model.manifest import BakeManifest, Records, read_manifest, record_name
from imagebake.kernel.errors import UsageError
from imagebake.kernel.text.versions import ImageVersion

COLUMNS = ("version", "state", "shown", "published", "age", "regions", "bake key", "commit")
_SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version as the table of versions shows it; *age* counts whole seconds."""

    version: GalleryVersion
    is_latest: bool
    age: int | None

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells under `COLUMNS`."""
        version = self.version
        return (
            str(version.version),
            version.state,
            "hidden" if version.hidden else "latest" if self.is_latest else "shown",
            version.published.strftime("%Y-%m-%d %H:%M") if version.published else "-",
            "-" if self.age is None else spoken_age(self.age),
            ", ".join(sorted(version.regions)),
            (version.bake_key or "-")[:_SHORT],
            version.tags.get(TAG_COMMIT, "-")[:_SHORT],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON."""
        return self.version.to_json() | {"latest": self.is_latest, "age_seconds": self.age}


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDetails:
    """One version with its replicas and, where imagebake baked it, its manifest."""

    row: VersionRow
    manifest: BakeManifest | None

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """Names and values of all details."""
        version, manifest = self.row.version, self.manifest
        pairs = [
            ("id", version.id),
            *zip(COLUMNS[1:5], self.row.cells[1:5], strict=True),
            *((f"replicas in {name}", state) for name, state in sorted(version.regions.items())),
            *((f"tag {name}", value) for name, value in sorted(version.tags.items())),
        ]
        if manifest:
            pairs += [
                ("source", manifest.source),
                ("baked at", manifest.baked_at),
                ("content", manifest.content_sha256 or "not known: built on Azure"),
                *((part, f"{took:.1f} s") for part, took in manifest.seconds.items()),
            ]
        return tuple(pairs)

    def to_json(self) -> dict[str, Any]:
        """Return the details as JSON."""
        manifest = self.manifest.to_json() if self.manifest else None
        return self.row.to_json() | {"manifest": manifest}


def versions(
    definition: str, *, now: dt.datetime, gallery: str, cloud: Clients
) -> tuple[VersionRow, ...]:
    """Return every version of *definition*, newest number first."""
    found = Gallery(cloud, gallery).versions(definition)
    newest = latest(found)
    return tuple(_row(version, newest, now) for version in reversed(found))


def show(
    definition: str,
    wanted: str,
    *,
    now: dt.datetime,
    gallery: str,
    cloud: Clients,
    records: Records,
) -> VersionDetails:
    """Return the details of version *wanted*: `2026.1122.0`, or `latest` as machines get it."""
    version, newest = find_version(definition, wanted, gallery=gallery, cloud=cloud)
    name = record_name(gallery, definition, version.version)
    manifest = read_manifest(records.recorded(name))
    return VersionDetails(row=_row(version, newest, now), manifest=manifest)


def find_version(
    definition: str, wanted: str, *, gallery: str, cloud: Clients
) -> tuple[GalleryVersion, GalleryVersion | None]:
    """Return version *wanted* of *definition*, and the one that `latest` means for machines.

    Raises `UsageError` that names existing versions.
    """
    place = Gallery(cloud, gallery)
    found = place.versions(definition)
    newest = latest(found)
    number = _number(wanted, newest, definition)
    version = place.version(definition, number)
    if version is None:
        there = ", ".join(str(version.version) for version in found[-5:]) or "none"
        raise UsageError(
            f"there is no version {number} of {definition}", hint=f"the newest ones: {there}"
        )
    return version, newest


def spoken_age(seconds: int) -> str:
    """Return an age in its largest unit: `3 d`, `5 h`, `12 min`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"


def _number(wanted: str, newest: GalleryVersion | None, definition: str) -> ImageVersion:
    if wanted == "latest":
        if newest is None:
            raise UsageError(
                f"there is no latest version of {definition}: none is both healthy and shown",
                hint="./inv versions lists the hidden ones",
            )
        return newest.version
    try:
        return ImageVersion.parse(wanted)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _row(version: GalleryVersion, newest: GalleryVersion | None, now: dt.datetime) -> VersionRow:
    age = int((now - version.published).total_seconds()) if version.published else None
    is_latest = newest is not None and newest.version == version.version
    return VersionRow(version=version, is_latest=is_latest, age=age)
