"""Bundles on disk: a flat apt repository of exactly one step's packages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host import debs
from imagebake.kernel.host.download import storage_error
from imagebake.kernel.host.files import file_lock
from imagebake.kernel.text.constrained import SHA256
from imagebake.mirror.store import DirectoryStore
from imagebake.spec.lock import Bundle

INDEX, PACKAGES, LOCK = "index", "Packages", ".lock"

_FIRST = ("Package", "Version", "Architecture")
# Fields that describe another place of the file, or an installation.
_LEFT_OUT = ("Filename", "Size", "SHA256", "MD5sum", "SHA1", "Status")


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """A line of a bundle's index: one package's file."""

    sha256: str
    size: int
    file_name: str


def entries(index: bytes) -> tuple[BundleEntry, ...]:
    """Parse the index of a bundle; raises `ValueError` where it is malformed."""
    found = []
    for line in index.decode().splitlines():
        sha256, size, file_name = line.split(" ")
        found.append(BundleEntry(sha256, int(size), file_name))
    return tuple(found)


def publish(bundle: Bundle, folder: Path, store: DirectoryStore) -> Path:
    """Create `folder/<digest>` from blobs in *store*, and return it.

    It appears at once and whole; an existing one is left as it is. The packages are hard links
    to the blobs, so that a bundle takes no space.
    """
    place = folder / bundle.digest
    if place.is_dir():
        return place
    try:
        with file_lock(folder / LOCK):
            # Left by a process that was killed: the lock says that no other is building.
            for leftover in folder.glob(".building-*"):
                shutil.rmtree(leftover)
            if not place.is_dir():
                _build(bundle, folder / f".building-{bundle.digest}", store).rename(place)
    except OSError as error:
        raise storage_error(place, error) from error
    return place


def is_whole(place: Path, store: DirectoryStore) -> bool:
    """Return whether the bundle at *place* is intact, given that its blobs are."""
    try:
        index = (place / INDEX).read_bytes()
        return (
            sha256_bytes(index) == place.name
            and all(_is_blob(place / entry.file_name, store, entry) for entry in entries(index))
            and (place / PACKAGES).read_text(encoding="utf-8") == packages_index(index, store)
        )
    except (OSError, ValueError, ArtifactError):
        return False


def published(folder: Path) -> Iterator[Path]:
    """Yield every bundle in *folder*, sorted by digest."""
    for place in sorted(folder.glob("*")):
        if SHA256.fullmatch(place.name):
            yield place


def packages_index(index: bytes, store: DirectoryStore) -> str:
    """Return the `Packages` file of a bundle: control data and paths of its packages."""
    ordered = sorted(entries(index), key=lambda entry: entry.file_name)
    return "\n".join(_stanza(entry, store.path(entry.sha256)) for entry in ordered)


def lists_same_files(packages: bytes, index: bytes) -> bool:
    """Return whether a `Packages` file lists exactly the files of *index*, as builds require.

    Other fields may differ where another version of imagebake has written it.
    """
    try:
        wanted = sorted(entry.sha256 for entry in entries(index))
    except ValueError:
        return False
    marks = (
        line for line in packages.decode(errors="replace").splitlines() if line[:8] == "SHA256: "
    )
    return sorted(line[8:] for line in marks) == wanted


def _build(bundle: Bundle, place: Path, store: DirectoryStore) -> Path:
    place.mkdir()
    for package in bundle.packages:
        try:
            # A hard link takes no space, and unlike a symbolic one it outlives a move of the
            # mirror.
            os.link(store.path(package.sha256), place / package.file_name)
        except FileNotFoundError as error:
            raise ArtifactError(
                f"the mirror does not have {package.name} {package.version}",
                hint="./inv bake fetches it",
            ) from error
    (place / INDEX).write_bytes(bundle.index)
    (place / PACKAGES).write_text(packages_index(bundle.index, store), encoding="utf-8")
    return place


def _is_blob(path: Path, store: DirectoryStore, entry: BundleEntry) -> bool:
    return path.samefile(store.path(entry.sha256))


def _stanza(entry: BundleEntry, path: Path) -> str:
    control = debs.control(path)
    names = [*_FIRST, *sorted(set(control) - {*_FIRST, *_LEFT_OUT})]
    fields = {name: control[name] for name in names if name in control}
    fields |= {
        "Filename": f"./{entry.file_name}",
        "Size": str(entry.size),
        "SHA256": entry.sha256,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())
