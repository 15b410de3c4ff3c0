"""Contents of an image, read without running it."""

from __future__ import annotations

import enum
import fnmatch
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_MOST_LINKS = 40


class FileKind(enum.StrEnum):
    """The type of a path; a hard link has the type of its file."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One path of the image.

    *sha256* is set for regular files only, *target* for symbolic links only.
    """

    path: str
    kind: FileKind
    mode: int
    uid: int
    gid: int
    size: int
    sha256: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package in dpkg's status: its selection and its state."""

    name: str
    version: str
    architecture: str
    wanted: str = "install"
    state: str = "installed"

    @property
    def held(self) -> bool:
        """Whether apt keeps it at its version."""
        return self.wanted == "hold"

    @property
    def gone(self) -> bool:
        """Whether at most configuration files of it are left."""
        return self.state in {"config-files", "not-installed"}


class Password(enum.StrEnum):
    """The state of an account's password."""

    LOCKED = "locked"
    EMPTY = "empty"
    SET = "set"


@dataclass(frozen=True, slots=True)
class User:
    """An account of the image; only the state of its password is read."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    password: Password


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A secret, described by kind, position and digest, never by its text.

    *line* counts from 1; *sha256* covers the secret alone, so that its owner can tell which it
    is.
    """

    path: str
    line: int
    kind: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Units:
    """The systemd units of an image.

    *enabled* units are wanted or required through a link below `/etc` or the vendor's
    directory; *masked* ones point at `/dev/null`.
    """

    known: frozenset[str] = frozenset()
    enabled: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Everything that rules examine; paths are absolute and normalised.

    *texts* holds the small files whose content matters, by path. *owned* are the paths that
    packages installed, *owners* the package of each; *stale_hashes* the accounts whose password
    hash is still in an old copy of the shadow file.
    """

    files: Mapping[str, FileEntry]
    texts: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[InstalledPackage, ...] = ()
    users: tuple[User, ...] = ()
    groups: tuple[str, ...] = ()
    stale_hashes: tuple[str, ...] = ()
    units: Units = Units()
    owned: frozenset[str] = frozenset()
    owners: Mapping[str, str] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()

    def matching(self, *patterns: str) -> Iterator[FileEntry]:
        """Yield the entries whose path matches one of the shell *patterns*, in path order.

        As in `fnmatch`, a star also crosses slashes.
        """
        for pattern in patterns:
            fixed = pattern.partition("*")[0].partition("[")[0]
            for path, entry in self.files.items():
                if path.startswith(fixed) and fnmatch.fnmatchcase(path, pattern):
                    yield entry

    def below(self, folder: str) -> Iterator[FileEntry]:
        """Return the entries below *folder*, at any depth."""
        start = folder.rstrip("/") + "/"
        return (entry for path, entry in self.files.items() if path.startswith(start))

    def resolve(self, path: str) -> FileEntry | None:
        """Return the entry at *path* after following links; None where it leads nowhere."""
        for _ in range(_MOST_LINKS):
            path = self._straight(path)
            entry = self.files.get(path)
            if entry is None or entry.kind is not FileKind.LINK:
                return entry
            path = posixpath.join(posixpath.dirname(path), entry.target or "")
        return None

    def text(self, path: str) -> str | None:
        """Return the stored text at *path*, following links."""
        entry = self.resolve(path)
        return self.texts.get(entry.path) if entry else None

    def _straight(self, path: str) -> str:
        """Return *path* normalised, with the merged `/usr` resolved."""
        path = posixpath.normpath("/" + path.lstrip("/"))
        top, _, rest = path[1:].partition("/")
        first = self.files.get("/" + top)
        if rest and first and first.kind is FileKind.LINK:
            return posixpath.normpath(posixpath.join("/", first.target or "", rest))
        return path
