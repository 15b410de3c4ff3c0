"""Read the whole mirror again, and take out what is not what its name says."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.digest import sha256_file
from imagebake.kernel.host.files import locked
from imagebake.kernel.progress import Step
from imagebake.mirror import bundles
from imagebake.mirror.store import DirectoryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a mirror is like.

    *wrong* blobs are in quarantine now; *missing* ones are named by a bundle and not there;
    *broken* bundles have been removed, and a bake makes them again.
    """

    checked: int
    wrong: tuple[str, ...]
    missing: tuple[str, ...]
    broken: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether there was nothing to complain about."""
        return not (self.wrong or self.missing or self.broken)


def verify(store: DirectoryStore, folder: Path, *, step: Step) -> Verification:
    """Hash every blob of *store*, and hold the bundles in *folder* against the blobs."""
    blobs = list(store.blobs())
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for blob, is_right in zip(blobs, pool.map(_is_right, blobs), strict=True):
            if not is_right:
                store.quarantine(blob)
                wrong.append(blob.name)
            step.advance(blob.name)
    with locked(folder / bundles.LOCK):
        broken = [one for one in bundles.published(folder) if not bundles.is_whole(one, store)]
        missing = {sha256 for one in broken for sha256 in _named(one) if not store.has(sha256)}
        for place in broken:
            shutil.rmtree(place)
    return Verification(
        checked=len(blobs),
        wrong=tuple(wrong),
        missing=tuple(sorted(missing.difference(wrong))),
        broken=tuple(place.name for place in broken),
    )


def _is_right(blob: Path) -> bool:
    try:
        return sha256_file(blob) == blob.name
    except OSError:
        return False


def _named(place: Path) -> set[str]:
    """The blobs that a bundle is made of, as far as its index can be read."""
    try:
        return {one.sha256 for one in bundles.entries((place / bundles.INDEX).read_bytes())}
    except (OSError, ValueError):
        return set()
