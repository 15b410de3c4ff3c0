"""A bundle: the flat apt repository of one step, named by what is in it."""

from __future__ import annotations

from dataclasses import dataclass

from imagebake.kernel.digest import sha256_bytes
from imagebake.model.lock import LockedPackage


@dataclass(frozen=True, slots=True)
class Bundle:
    """The packages of one step as a repository; its digest is known before it is made.

    In a mirror it is the directory `bundles/<digest>`: the `index` below, the packages
    under their file names, and `Packages` for apt.
    """

    packages: tuple[LockedPackage, ...]

    @property
    def index(self) -> bytes:
        """One line a package, sorted: sha256, size, file name; what the digest is over."""
        lines = sorted(
            f"{package.sha256} {package.size} {package.file_name}\n" for package in self.packages
        )
        return "".join(lines).encode()

    @property
    def digest(self) -> str:
        """The name of the bundle: the sha256 of its index."""
        return sha256_bytes(self.index)
