"""Hold the contents of two images against each other: pure, from what was read of both."""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from imagebake.model.contents import Contents, Entry, FileKind, InstalledPackage, User
from imagebake.model.differences import Area, Difference, ImageDiff, Measure
from imagebake.model.versions import DebianVersion

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


def contrast(old: Contents, new: Contents, *, names: tuple[str, str]) -> ImageDiff:
    """Name everything that differs from *old* to *new*, which are called *names*.

    A file is shown where it belongs: one that came with a changed package is counted there.
    """
    files = _Files(old, new)
    return ImageDiff(
        old=names[0],
        new=names[1],
        differences=(
            *_secrets(old, new),
            *_accounts(old, new),
            *files.listed(Area.PRIVILEGES),
            *_services(old, new),
            *files.listed(Area.UNEXPLAINED),
            *_packages(old, new, files.moved()),
            *files.listed(Area.CONFIGURATION),
            *files.listed(Area.FILES),
            *files.listed(Area.GENERATED),
        ),
        before=_measure(old),
        after=_measure(new),
    )


def _measure(contents: Contents) -> Measure:
    there = [package for package in contents.packages if not package.gone]
    sizes = [one.size for one in contents.files.values() if one.kind is FileKind.FILE]
    return Measure(files=len(contents.files), size=sum(sizes), packages=len(there))


def _told(
    area: Area,
    old: Mapping[str, _Item],
    new: Mapping[str, _Item],
    tell: Callable[[_Item], str],
    note: Callable[[str], str] = lambda _: "",
) -> Iterator[Difference]:
    """The names of which *tell* says something else on the two sides, in order."""
    for name in sorted(old.keys() | new.keys()):
        was = tell(old[name]) if name in old else None
        will = tell(new[name]) if name in new else None
        if was != will:
            yield Difference(area, name, was, will, note(name))


def _secrets(old: Contents, new: Contents) -> Iterator[Difference]:
    sides = (
        {f"{leak.path}: {leak.kind} {leak.sha256[:16]}": leak.kind for leak in contents.leaks}
        for contents in (old, new)
    )
    return _told(Area.SECRETS, *sides, lambda kind: kind)


def _accounts(old: Contents, new: Contents) -> Iterator[Difference]:
    yield from _told(Area.ACCOUNTS, _users(old), _users(new), _user)
    groups = ({f"group {name}": name for name in one.groups} for one in (old, new))
    yield from _told(Area.ACCOUNTS, *groups, lambda _: "there")


def _users(contents: Contents) -> dict[str, User]:
    return {f"user {user.name}": user for user in contents.users}


def _user(user: User) -> str:
    return f"{user.uid}:{user.gid} {user.home} {user.shell}, password {user.password.value}"


def _services(old: Contents, new: Contents) -> Iterator[Difference]:
    return _told(Area.SERVICES, _units(old), _units(new), lambda state: state)


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


def _packages(old: Contents, new: Contents, files: Mapping[str, str]) -> Iterator[Difference]:
    before, after = _installed(old), _installed(new)

    def note(name: str) -> str:
        was, will = before.get(name), after.get(name)
        back = was and will and DebianVersion(will.version) < DebianVersion(was.version)
        brought = files.get(name.partition(":")[0], "")
        return ", ".join(text for text in ("goes back" if back else "", brought) if text)

    return _told(Area.PACKAGES, before, after, _package, note)


def _package(package: InstalledPackage) -> str:
    return package.version + (", held" if package.held else "")


def _installed(contents: Contents) -> dict[str, InstalledPackage]:
    """The packages by name; a second architecture has it in its name."""
    found: dict[str, InstalledPackage] = {}
    for package in contents.packages:
        if not package.gone:
            taken = package.name in found
            found[f"{package.name}:{package.architecture}" if taken else package.name] = package
    return found


@dataclass(slots=True)
class _Files:
    """The paths that differ, each in its area."""

    old: Contents
    new: Contents

    def listed(self, area: Area) -> Iterator[Difference]:
        """The differing paths of *area*."""
        return iter(_sorted_out(self)[area])

    def moved(self) -> dict[str, str]:
        """How many files each changed package brought or took, and how many bytes, in words."""
        return _sorted_out(self).moved

    def __hash__(self) -> int:
        return id(self)


class _Sorted(dict[Area, list[Difference]]):
    """Differences of paths by area; those that came with packages are counted in *moved*."""

    moved: dict[str, str]


@functools.lru_cache(maxsize=1)
def _sorted_out(files: _Files) -> _Sorted:
    old, new = files.old, files.new
    changed = _changed_packages(old, new)
    found = _Sorted((area, []) for area in Area)
    counted: dict[str, tuple[int, int]] = {}
    for path in sorted(old.files.keys() | new.files.keys()):
        was, will = old.files.get(path), new.files.get(path)
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
    found.moved = {
        package: f"{count} file{'' if count == 1 else 's'}, {size:+} B"
        for package, (count, size) in counted.items()
    }
    return found


def _changed_packages(old: Contents, new: Contents) -> frozenset[str]:
    sides = (
        {(one.name, one.version) for one in side.packages if not one.gone} for side in (old, new)
    )
    before, after = sides
    return frozenset(name for name, _ in before ^ after)


def _area(
    path: str, old: Entry | None, new: Entry | None, package: str, changed: frozenset[str]
) -> Area | None:
    """Where the difference at *path* belongs; None where its package accounts for it."""
    if new and _privileged(new) and not (old and _same_privileges(old, new)):
        return Area.PRIVILEGES
    if old and _privileged(old) and not (new and _privileged(new)):
        return Area.PRIVILEGES
    if path.startswith(_GENERATED) or _ACCOUNT_FILES.fullmatch(path) or _COMPILED.fullmatch(path):
        return Area.GENERATED
    if package in changed:
        return None
    if path.startswith("/etc/"):
        return Area.CONFIGURATION
    both = old or new
    if package and both and both.kind is not FileKind.DIRECTORY:
        return Area.UNEXPLAINED
    return Area.FILES


def _privileged(entry: Entry) -> bool:
    if entry.kind is FileKind.LINK:
        return False
    writable = bool(entry.mode & _WORLD) and not entry.mode & _STICKY
    return writable or (entry.kind is FileKind.FILE and bool(entry.mode & _SET_ID))


def _same_privileges(old: Entry, new: Entry) -> bool:
    return (old.mode, old.uid, old.gid) == (new.mode, new.uid, new.gid)


def _difference(
    area: Area, path: str, old: Entry | None, new: Entry | None, package: str
) -> Difference:
    notes = [f"of {package}"] if package else []
    if old and new and old.sha256 != new.sha256:
        notes.append(f"other content ({new.size - old.size:+} B)")
    return Difference(area, path, old and _worded(old), new and _worded(new), ", ".join(notes))


def _facts(entry: Entry) -> tuple[object, ...]:
    size = entry.size if entry.kind is FileKind.FILE else 0
    return entry.kind, entry.mode, entry.uid, entry.gid, entry.sha256, entry.target, size


def _worded(entry: Entry) -> str:
    what = {FileKind.FILE: "", FileKind.LINK: f"link to {entry.target}"}.get(
        entry.kind, entry.kind.value
    )
    rights = "" if entry.kind is FileKind.LINK else f"{entry.mode:04o} {entry.uid}:{entry.gid}"
    return " ".join(text for text in (what, rights) if text)


def folders(differences: Iterable[Difference], depth: int = 3) -> list[tuple[str, int]]:
    """How many of *differences* are below each folder, the fullest first."""
    counts: dict[str, int] = {}
    for one in differences:
        parts = posixpath.dirname(one.name).split("/")[: depth + 1]
        counts["/".join(parts) or "/"] = counts.get("/".join(parts) or "/", 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
