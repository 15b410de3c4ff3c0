"""A lock: the exact artifacts of one image, by path, size and digest, in install order."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from imagebake.model.pins import ExtensionPin
from imagebake.model.spec import SourceImage
from imagebake.model.texts import Sha256, Text
from imagebake.model.values import Value

BASE = "base"
"""The step that makes the local base; every other step is a customizer."""

PACKAGES = "packages"
"""The step that installs every plain package pin."""


class Repository(Value):
    """An archive's suite as it was when the lock was made; its address is a setting.

    *date* is the archive's own `Date` field, *snapshot* the dated snapshot that was asked
    for, when a setting named one.
    """

    id: Text
    suite: Text
    components: tuple[Text, ...]
    in_release_sha256: Sha256
    date: Text
    snapshot: Text | None = None


class LockedPackage(Value):
    """A binary package: *path* is relative to the base address of its repository."""

    name: Text
    version: Text
    architecture: Text
    repository: Text
    path: Text
    size: Annotated[int, Field(ge=1)]
    sha256: Sha256

    @property
    def file_name(self) -> str:
        """The package's file as apt names it; a colon of the version stays out."""
        version = self.version.partition(":")[2] or self.version
        return f"{self.name}_{version}_{self.architecture}.deb"


class LockedStep(Value):
    """The packages that one step adds to those before it, in install order.

    *pins* names the packages that the step asks for as `name=version`; the others are
    their dependencies.
    """

    name: Text
    pins: tuple[Text, ...]
    packages: tuple[LockedPackage, ...]


class LockedFile(Value):
    """A file by digest, with the place and the mode it gets in the image."""

    name: Text
    version: Text
    url: Text
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256
    destination: Text
    mode: Text


class Lock(Value):
    """Everything that a bake installs, and the digest of what it was resolved from."""

    lock_version: Literal[1] = 1
    image: Text
    inputs_sha256: Sha256
    source: SourceImage
    suite: Text
    architecture: Text
    repositories: tuple[Repository, ...]
    steps: tuple[LockedStep, ...]
    files: tuple[LockedFile, ...] = ()
    extensions: tuple[ExtensionPin, ...] = ()

    @property
    def packages(self) -> tuple[LockedPackage, ...]:
        """Every package, in install order."""
        return tuple(package for step in self.steps for package in step.packages)

    @property
    def base(self) -> LockedStep:
        """The step that makes the local base."""
        return next(step for step in self.steps if step.name == BASE)
