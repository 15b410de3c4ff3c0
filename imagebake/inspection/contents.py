"""What is in an image, read without running it."""

from __future__ import annotations

import enum
import fnmatch
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_MOST_LINKS = 40


class FileKind(enum.StrEnum):
    """What a path is; a hard link is the file it points at."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of the image.

    *sha256* is known for regular files only, *target* for symbolic links only; both are
    None elsewhere.
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
    """A package as dpkg's status has it: what is wanted, and what is so."""

    name: str
    version: str
    architecture: str
    wanted: str = "install"
    state: str = "installed"

    @property
    def held(self) -> bool:
        """Whether apt leaves it at its version."""
        return self.wanted == "hold"

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left but configuration files, or nothing at all."""
        return self.state in {"config-files", "not-installed"}


class Password(enum.StrEnum):
    """The state of an account's password."""

    LOCKED = "locked"
    EMPTY = "empty"
    SET = "set"


@dataclass(frozen=True, slots=True)
class User:
    """An account of the image; its password is never read, only its state."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    password: Password


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A secret, named by what it is, where it is and its digest, never by itself.

    *line* counts from 1; *sha256* is over the secret alone, so that its owner can tell
    which one it is.
    """

    path: str
    line: int
    kind: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Units:
    """The systemd units of an image: what there is, what starts, what cannot.

    *enabled* are the units that some target or unit wants or requires by a link below
    `/etc` or the vendor's directory; *masked* those that point at `/dev/null`.
    """

    known: frozenset[str] = frozenset()
    enabled: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Everything that rules look at; paths are absolute and normalised.

    *texts* holds the small files whose words matter, by path; a file that is not there
    has no text. *owned* are the paths that packages brought, *owners* the package of each;
    *stale_hashes* the accounts of which an old copy of the shadow file still holds a
    password's hash.
    """

    files: Mapping[str, Entry]
    texts: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[InstalledPackage, ...] = ()
    users: tuple[User, ...] = ()
    groups: tuple[str, ...] = ()
    stale_hashes: tuple[str, ...] = ()
    units: Units = Units()
    owned: frozenset[str] = frozenset()
    owners: Mapping[str, str] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()

    def matching(self, *patterns: str) -> Iterator[Entry]:
        """The entries whose path matches one of *patterns* (shell style), in path order.

        As in `fnmatch`, a star also crosses slashes.
        """
        for pattern in patterns:
            fixed = pattern.partition("*")[0].partition("[")[0]
            for path, entry in self.files.items():
                if path.startswith(fixed) and fnmatch.fnmatchcase(path, pattern):
                    yield entry

    def below(self, folder: str) -> Iterator[Entry]:
        """The entries below *folder*, however deep."""
        start = folder.rstrip("/") + "/"
        return (entry for path, entry in self.files.items() if path.startswith(start))

    def resolve(self, path: str) -> Entry | None:
        """What *path* leads to through symbolic links; None where it leads nowhere."""
        for _ in range(_MOST_LINKS):
            path = self._straight(path)
            entry = self.files.get(path)
            if entry is None or entry.kind is not FileKind.LINK:
                return entry
            path = posixpath.join(posixpath.dirname(path), entry.target or "")
        return None

    def text(self, path: str) -> str | None:
        """The text that was kept of *path*, through symbolic links."""
        entry = self.resolve(path)
        return self.texts.get(entry.path) if entry else None

    def _straight(self, path: str) -> str:
        """*path* normalised, with the merged `/usr` taken into account."""
        path = posixpath.normpath("/" + path.lstrip("/"))
        top, _, rest = path[1:].partition("/")
        first = self.files.get("/" + top)
        if rest and first and first.kind is FileKind.LINK:
            return posixpath.normpath(posixpath.join("/", first.target or "", rest))
        return path
