"""Bundles on disk: a flat apt repository of exactly one step's packages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from imagebake.artifacts.store import DirectoryStore
from imagebake.host import debs
from imagebake.host.files import locked
from imagebake.model.bundle import Bundle
from imagebake.model.lock import LockedPackage

_FIRST = ("Package", "Version", "Architecture")
_LEFT_OUT = ("Filename", "Size", "SHA256", "MD5sum", "SHA1", "Status")


def publish(bundle: Bundle, folder: Path, store: DirectoryStore) -> Path:
    """Make `folder/<digest>` from blobs that are in *store*, and return it.

    It appears at once and whole; where it is already, nothing is done. The packages are
    hard links to the blobs, so that a bundle takes no room.
    """
    place = folder / bundle.digest
    if place.is_dir():
        return place
    with locked(folder / ".lock"):
        for leftover in folder.glob(".building-*"):
            shutil.rmtree(leftover)
        if not place.is_dir():
            _build(bundle, folder / f".building-{bundle.digest}", store).rename(place)
    return place


def _build(bundle: Bundle, place: Path, store: DirectoryStore) -> Path:
    place.mkdir()
    for package in bundle.packages:
        os.link(store.path(package.sha256), place / package.file_name)
    (place / "index").write_bytes(bundle.index)
    (place / "Packages").write_text(packages_index(bundle, store), encoding="utf-8")
    return place


def packages_index(bundle: Bundle, store: DirectoryStore) -> str:
    """The `Packages` file of *bundle*: its packages' own words, and where the files are."""
    ordered = sorted(bundle.packages, key=lambda package: package.file_name)
    return "\n".join(_stanza(package, store.path(package.sha256)) for package in ordered)


def _stanza(package: LockedPackage, path: Path) -> str:
    told = debs.control(path)
    names = [*_FIRST, *sorted(set(told) - {*_FIRST, *_LEFT_OUT})]
    fields = {name: told[name] for name in names if name in told}
    fields |= {
        "Filename": f"./{package.file_name}",
        "Size": str(package.size),
        "SHA256": package.sha256,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())
