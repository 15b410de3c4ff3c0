"""The lock: exact artifacts of one image, by path, size and digest, in install order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic_core
from pydantic import Field, StringConstraints

from imagebake.kernel.digest import sha256_bytes
from imagebake.spec.model.base import Value
from imagebake.spec.model.pins import ExtensionPin
from imagebake.spec.model.source import SourceImage
from imagebake.spec.model.types import Sha256, Text

LOCK_VERSION = 1
"""Format version of the locks that this imagebake reads and writes."""

BASE = "base"
"""Name of the step that makes the local base; every other step is a customizer."""

PACKAGES = "packages"
"""Name of the step that installs all plain package pins."""

# Patterns that pydantic matches itself: a lock has hundreds of each.
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+$", max_length=100)]
_Version = Annotated[
    str, StringConstraints(pattern=r"^([0-9]+:)?[0-9][A-Za-z0-9.+~-]*$", max_length=100)
]
_Line = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", min_length=1, max_length=500)
]
_Architecture = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=30)]
_Path = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_+~%:=@,-][A-Za-z0-9_.+~%:=@,-]*"
        r"(/[A-Za-z0-9_+~%:=@,-][A-Za-z0-9_.+~%:=@,-]*)*$",
        max_length=500,
    ),
]
"""A relative path without segments that start with a dot, so that it cannot leave its folder."""


class Repository(Value):
    """A suite of an archive at the time of locking; its address is a setting.

    *date* is the archive's own `Date` field, *snapshot* the dated snapshot that a setting
    named.
    """

    id: Text
    suite: Text
    components: tuple[Text, ...]
    in_release_sha256: Sha256
    date: Text
    snapshot: Text | None = None


class LockedPackage(Value):
    """A binary package; *path* is relative to the base address of its repository."""

    name: _Name
    version: _Version
    architecture: _Architecture
    repository: _Line
    path: _Path
    size: Annotated[int, Field(ge=1)]
    sha256: _Digest

    @property
    def file_name(self) -> str:
        """The file name as apt spells it, without the version's epoch."""
        version = self.version.partition(":")[2] or self.version
        return f"{self.name}_{version}_{self.architecture}.deb"


class LockedStep(Value):
    """The packages that one step adds to those before it, in install order.

    *pins* names the requested packages; the others are their dependencies. The first pin of an
    agent's step carries the version that the spec chooses. Requested packages are listed even
    when an earlier step has installed them, because a marketplace image need not have them.
    """

    name: Text
    pins: tuple[Text, ...]
    packages: tuple[LockedPackage, ...]

    @property
    def is_agent(self) -> bool:
        """Whether the step installs one agent of the catalogue, whose name it then has."""
        return self.name not in (BASE, PACKAGES)


class LockedFile(Value):
    """A file by digest, with its destination and mode in the image.

    *redirects* are the hosts that its server may redirect a download to; absent means none.
    """

    name: Text
    version: Text
    url: Text
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256
    destination: Text
    mode: Text
    redirects: tuple[Text, ...] | None = None


class LockedInstaller(Value):
    """An installer of a Windows step, by digest; it is not kept in the image.

    *size* is absent where its publisher does not state it.
    """

    name: Text
    version: Text
    url: Text
    size: Annotated[int, Field(ge=1)] | None = None
    sha256: Sha256
    redirects: tuple[Text, ...] | None = None


Artifact = LockedPackage | LockedFile | LockedInstaller
"""Anything that a mirror stores for a bake."""


class Lock(Value):
    """Everything that a bake installs, and the digest of what it was resolved from.

    Linux installs packages, step by step; Windows has no *suite*, and *installers* instead.
    """

    lock_version: Literal[1] = 1
    image: Text
    inputs_sha256: Sha256
    source: SourceImage
    suite: Text | None = None
    architecture: Text
    repositories: tuple[Repository, ...] = ()
    steps: tuple[LockedStep, ...] = ()
    files: tuple[LockedFile, ...] = ()
    extensions: tuple[ExtensionPin, ...] = ()
    installers: tuple[LockedInstaller, ...] | None = None

    @property
    def loose(self) -> tuple[LockedFile | LockedInstaller, ...]:
        """The artifacts that are fetched file by file, not in a bundle."""
        return (*self.files, *(self.installers or ()))

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Everything that a bake needs before it starts."""
        return (*self.packages, *self.loose)

    @property
    def packages(self) -> tuple[LockedPackage, ...]:
        """Every package, in install order."""
        return tuple(package for step in self.steps for package in step.packages)

    @property
    def base(self) -> LockedStep:
        """The step that makes the local base; a lock of Windows has none."""
        return next(step for step in self.steps if step.name == BASE)

    @property
    def customizing(self) -> tuple[LockedStep, ...]:
        """The steps that customizers install, in order: all but the base."""
        return tuple(step for step in self.steps if step.name != BASE)

    @property
    def canonical(self) -> bytes:
        """The content of the lock file: equal to `canonical_json`, in a third of the time."""
        return pydantic_core.to_json(_sorted(self.to_json()), indent=2) + b"\n"

    @property
    def sha256(self) -> str:
        """The digest of `canonical`."""
        return sha256_bytes(self.canonical)


def _sorted(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return *value* with sorted keys; texts, nearly all of it, cost no call."""
    if isinstance(value, dict):
        return {
            key: part if type(part := value[key]) is str else _sorted(part) for key in sorted(value)
        }
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Bundle:
    """The packages of one step as a repository; its digest is known before it is built.

    In a mirror it is the directory `bundles/<digest>`: the `index` below, the packages under
    their file names, and `Packages` for apt.
    """

    packages: tuple[LockedPackage, ...]

    @property
    def index(self) -> bytes:
        """The bytes that the digest covers: a sorted line a package: sha256, size, file name."""
        lines = sorted(
            f"{package.sha256} {package.size} {package.file_name}\n" for package in self.packages
        )
        return "".join(lines).encode()

    @property
    def digest(self) -> str:
        """The name of the bundle: the sha256 of its index."""
        return sha256_bytes(self.index)
