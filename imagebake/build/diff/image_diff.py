"""Differences between the contents of two baked versions."""

from __future__ import annotations

import enum
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from imagebake.inspection.contents import Contents, FileEntry, FileKind, InstalledPackage, User
from imagebake.inspection.tree import read_contents
from imagebake.kernel.progress import Progress
from imagebake.kernel.text.versions import DebianVersion


class ContentArea(enum.StrEnum):
    """Area that a difference touches, in the order in which a reviewer should look."""

    SECRETS = "Secrets"
    ACCOUNTS = "Accounts"
    PRIVILEGES = "Privileged and world-writable files"
    SERVICES = "Services"
    UNEXPLAINED = "Files of packages that did not change"
    PACKAGES = "Packages"
    CONFIGURATION = "Configuration"
    FILES = "Other files"
    GENERATED = "Generated and bookkeeping"


QUIET = frozenset({ContentArea.GENERATED})
"""Areas that are counted instead of listed, because they follow from the others."""


@dataclass(frozen=True, slots=True)
class ContentDifference:
    """One thing before and after; None stands for its absence."""

    area: ContentArea
    name: str
    old: str | None
    new: str | None
    note: str = ""

    @property
    def sign(self) -> str:
        """`+`, `-` or `~`."""
        if self.old is None:
            return "+"
        return "-" if self.new is None else "~"

    @property
    def moved(self) -> str:
        """The old and the new text, as far as they exist."""
        if self.old == self.new:
            return self.new or ""
        return " → ".join(text for text in (self.old, self.new) if text)

    def to_json(self) -> dict[str, Any]:
        """Return the difference for programs."""
        return {
            "area": self.area.name.lower(),
            "name": self.name,
            "change": {"+": "added", "-": "removed", "~": "changed"}[self.sign],
            "old": self.old,
            "new": self.new,
            "note": self.note or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSize:
    """Number of files, their bytes, and number of packages of an image."""

    files: int = 0
    size: int = 0
    packages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDiff:
    """All differences from image *old* to image *new*, both `IMAGE@VERSION`.

    *before* and *after* are None if the digests are equal and the contents were not read.
    """

    old: str
    new: str
    differences: tuple[ContentDifference, ...] = ()
    before: ImageSize | None = None
    after: ImageSize | None = None

    def areas(self) -> Iterator[tuple[ContentArea, tuple[ContentDifference, ...]]]:
        """Yield the differences by area, riskiest first, without empty areas."""
        for area in ContentArea:
            if found := tuple(
                difference for difference in self.differences if difference.area is area
            ):
                yield area, found

    def to_json(self) -> dict[str, Any]:
        """Return the differences for programs."""
        measures = {
            name: None
            if measure is None
            else {"files": measure.files, "bytes": measure.size, "packages": measure.packages}
            for name, measure in (("before", self.before), ("after", self.after))
        }
        return {
            "old": self.old,
            "new": self.new,
            "same": not self.differences,
            "differences": [difference.to_json() for difference in self.differences],
        } | measures


_GENERATED = (
    "/etc/imagebake/manifest.json",
    "/etc/ld.so.cache",
    "/usr/lib/locale/",
    "/usr/share/info/dir",
    "/usr/share/mime/",
    "/var/cache/",
    "/var/lib/apt/",
    "/var/lib/dpkg/",
    "/var/lib/systemd/",
    "/var/lib/ucf/",
    "/var/log/",
)
_ACCOUNT_FILES = re.compile(r"/etc/(passwd|shadow|group|gshadow|subuid|subgid)-?")
_COMPILED = re.compile(r"(.*)/__pycache__/([^/]+?)\.[^/]*\.pyc")
_SET_ID, _WORLD, _STICKY = 0o6000, 0o0002, 0o1000
_Item = TypeVar("_Item")


def diff_contents(old: Contents, new: Contents, *, names: tuple[str, str]) -> ImageDiff:
    """Compare *old* with *new*, whose display names are *names*.

    A file of a changed package is counted with its package.
    """
    files, brought = _files(old, new)
    return ImageDiff(
        old=names[0],
        new=names[1],
        differences=(
            *_secrets(old, new),
            *_accounts(old, new),
            *files[ContentArea.PRIVILEGES],
            *_services(old, new),
            *files[ContentArea.UNEXPLAINED],
            *_packages(old, new, brought),
            *files[ContentArea.CONFIGURATION],
            *files[ContentArea.FILES],
            *files[ContentArea.GENERATED],
        ),
        before=_measure(old),
        after=_measure(new),
    )


def _measure(contents: Contents) -> ImageSize:
    there = [package for package in contents.packages if not package.gone]
    sizes = [entry.size for entry in contents.files.values() if entry.kind is FileKind.FILE]
    return ImageSize(files=len(contents.files), size=sum(sizes), packages=len(there))


def _compare_by_name(
    area: ContentArea,
    old: Mapping[str, _Item],
    new: Mapping[str, _Item],
    tell: Callable[[_Item], str],
    note: Callable[[str], str] = lambda _: "",
) -> Iterator[ContentDifference]:
    """Yield the names for which *tell* gives different texts on the two sides, sorted."""
    for name in sorted(old.keys() | new.keys()):
        was = tell(old[name]) if name in old else None
        will = tell(new[name]) if name in new else None
        if was != will:
            yield ContentDifference(area, name, was, will, note(name))


def _secrets(old: Contents, new: Contents) -> Iterator[ContentDifference]:
    return _compare_by_name(ContentArea.SECRETS, _leaks(old), _leaks(new), lambda kind: kind)


def _leaks(contents: Contents) -> dict[str, str]:
    return {f"{leak.path} sha256:{leak.sha256[:16]}": leak.kind for leak in contents.leaks}


def _accounts(old: Contents, new: Contents) -> Iterator[ContentDifference]:
    yield from _compare_by_name(ContentArea.ACCOUNTS, _users(old), _users(new), _user)
    yield from _compare_by_name(ContentArea.ACCOUNTS, _groups(old), _groups(new), lambda _: "there")


def _groups(contents: Contents) -> dict[str, str]:
    return {f"group {name}": name for name in contents.groups}


def _users(contents: Contents) -> dict[str, User]:
    return {f"user {user.name}": user for user in contents.users}


def _user(user: User) -> str:
    return f"{user.uid}:{user.gid} {user.home} {user.shell}, password {user.password.value}"


def _services(old: Contents, new: Contents) -> Iterator[ContentDifference]:
    return _compare_by_name(ContentArea.SERVICES, _units(old), _units(new), lambda state: state)


def _units(contents: Contents) -> dict[str, str]:
    units = contents.units
    return {
        name: "masked"
        if name in units.masked
        else "enabled"
        if name in units.enabled
        else "not enabled"
        for name in units.known | units.enabled | units.masked
    }


def _packages(
    old: Contents, new: Contents, files: Mapping[str, str]
) -> Iterator[ContentDifference]:
    before, after = _installed(old), _installed(new)

    def note(name: str) -> str:
        was, will = before.get(name), after.get(name)
        back = was and will and DebianVersion(will.version) < DebianVersion(was.version)
        brought = files.get(name.partition(":")[0], "")
        return ", ".join(text for text in ("downgrade" if back else "", brought) if text)

    return _compare_by_name(ContentArea.PACKAGES, before, after, _package, note)


def _package(package: InstalledPackage) -> str:
    return package.version + (", held" if package.held else "")


def _installed(contents: Contents) -> dict[str, InstalledPackage]:
    """Return the packages by name; a second architecture is added to its name."""
    found: dict[str, InstalledPackage] = {}
    for package in contents.packages:
        if not package.gone:
            taken = package.name in found
            found[f"{package.name}:{package.architecture}" if taken else package.name] = package
    return found


def _files(
    old: Contents, new: Contents
) -> tuple[Mapping[ContentArea, list[ContentDifference]], Mapping[str, str]]:
    """Return the differing paths by area, and the counts of those explained by a package change."""
    changed = _changed_packages(old, new)
    found: dict[ContentArea, list[ContentDifference]] = {area: [] for area in ContentArea}
    counted: dict[str, tuple[int, int]] = {}
    for path in sorted(old.files.keys() | new.files.keys()):
        was, will = old.files.get(path), new.files.get(path)
        # Times and directory sizes differ in every build and mean nothing.
        if was == will or (was and will and _facts(was) == _facts(will)):
            continue
        package = new.owners.get(path) or old.owners.get(path) or ""
        area = _area(path, was, will, package, changed)
        if area is None:
            count, size = counted.get(package, (0, 0))
            grown = (will.size if will else 0) - (was.size if was else 0)
            counted[package] = count + 1, size + grown
        else:
            found[area].append(_difference(area, path, was, will, package))
    summaries = {
        package: f"{count} file{'' if count == 1 else 's'}, {size:+} B"
        for package, (count, size) in counted.items()
    }
    return found, summaries


def _changed_packages(old: Contents, new: Contents) -> frozenset[str]:
    before, after = (
        {(package.name, package.version) for package in contents.packages if not package.gone}
        for contents in (old, new)
    )
    return frozenset(name for name, _ in before ^ after)


def _area(
    path: str, old: FileEntry | None, new: FileEntry | None, package: str, changed: frozenset[str]
) -> ContentArea | None:
    """Return the area of the difference at *path*; None if its package's change explains it."""
    # First, because it matters even for a file that its package explains.
    if _privileges(old) != _privileges(new):
        return ContentArea.PRIVILEGES
    if path.startswith(_GENERATED) or _ACCOUNT_FILES.fullmatch(path) or _COMPILED.fullmatch(path):
        return ContentArea.GENERATED
    if package in changed:
        return None
    if path.startswith("/etc/"):
        return ContentArea.CONFIGURATION
    either = old or new
    of_package = package and either and either.kind is not FileKind.DIRECTORY
    return ContentArea.UNEXPLAINED if of_package else ContentArea.FILES


def _privileges(entry: FileEntry | None) -> tuple[int, ...] | None:
    """Return mode and owner of a set-id or world-writable file; None for any other."""
    if entry is None or entry.kind is FileKind.LINK:
        return None
    writable = bool(entry.mode & _WORLD) and not entry.mode & _STICKY
    as_another = entry.kind is FileKind.FILE and bool(entry.mode & _SET_ID)
    return (entry.mode, entry.uid, entry.gid) if writable or as_another else None


def _difference(
    area: ContentArea, path: str, old: FileEntry | None, new: FileEntry | None, package: str
) -> ContentDifference:
    notes = [f"of {package}"] if package else []
    if old and new and old.sha256 != new.sha256:
        notes.append(f"different content ({new.size - old.size:+} B)")
    return ContentDifference(area, path, _worded(old), _worded(new), ", ".join(notes))


def _facts(entry: FileEntry) -> tuple[object, ...]:
    size = entry.size if entry.kind is FileKind.FILE else 0
    return entry.kind, entry.mode, entry.uid, entry.gid, entry.sha256, entry.target, size


def _worded(entry: FileEntry | None) -> str | None:
    if entry is None:
        return None
    if entry.kind is FileKind.LINK:
        return f"link to {entry.target}"
    rights = f"{entry.mode:04o} {entry.uid}:{entry.gid}"
    return rights if entry.kind is FileKind.FILE else f"{entry.kind.value} {rights}"


def count_by_folder(
    differences: Iterable[ContentDifference], depth: int = 3
) -> list[tuple[str, int]]:
    """Count *differences* below each folder, the fullest first."""
    counts: dict[str, int] = {}
    for difference in differences:
        parts = posixpath.dirname(difference.name).split("/")[: depth + 1]
        counts["/".join(parts) or "/"] = counts.get("/".join(parts) or "/", 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableImage:
    """An image with its name and its root file system as a tar.

    Images with equal *content_sha256* are equal and need not be read.
    """

    name: str
    content_sha256: str | None
    open_tar: Callable[[], AbstractContextManager[BinaryIO]]


def diff_images(old: ReadableImage, new: ReadableImage, *, progress: Progress) -> ImageDiff:
    """Read both images and return their differences.

    Raises `ValidationFailed` if one cannot be read.
    """
    # Equal digests mean equal contents: neither image has to be read.
    if old.content_sha256 and old.content_sha256 == new.content_sha256:
        return ImageDiff(old=old.name, new=new.name)
    contents = []
    for image in (old, new):
        with progress.step(f"Read {image.name}"), image.open_tar() as stream:
            contents.append(read_contents(stream))
    return diff_contents(*contents, names=(old.name, new.name))
