"""A content-addressed directory of blobs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.host.files import write_atomically
from imagebake.kernel.text.constrained import SHA256

READ_ONLY = 0o444


@dataclass(frozen=True, slots=True)
class DirectoryStore:
    """A directory of read-only blobs: `sha256/<first two digits>/<digest>`.

    A blob appears whole or not at all, and is never rewritten. Hidden files beside the blobs
    are downloads in progress.
    """

    root: Path

    def path(self, sha256: str) -> Path:
        """Return the path of the blob *sha256*, which need not exist."""
        return self.root / "sha256" / sha256[:2] / sha256

    def has(self, sha256: str, size: int | None = None) -> bool:
        """Return whether the blob exists, with that *size*; its content is not read."""
        prefix = f"{self.root}/sha256/{sha256[:2]}/"
        try:
            found = os.stat(prefix + sha256).st_size  # noqa: PTH116 - hundreds in a no-change bake
        except OSError:
            return False
        return size is None or found == size

    def put(self, content: bytes) -> str:
        """Store *content* and return its digest."""
        sha256 = sha256_bytes(content)
        if not self.has(sha256, len(content)):
            write_atomically(self.path(sha256), content, mode=READ_ONLY)
        return sha256

    def blobs(self) -> Iterator[Path]:
        """Yield every blob, sorted by digest."""
        for path in sorted((self.root / "sha256").glob("??/*")):
            if SHA256.fullmatch(path.name):
                yield path

    def quarantine(self, path: Path) -> Path:
        """Move a blob with wrong content out of the way, and return its new path."""
        place = self.root / "quarantine" / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        path.replace(place)
        return place
