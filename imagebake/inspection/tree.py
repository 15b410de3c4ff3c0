"""Contents of an image, read from a tar of its root file system in one pass."""

from __future__ import annotations

import fnmatch
import hashlib
import posixpath
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

from imagebake.inspection import dpkg, secrets
from imagebake.inspection.contents import Contents, FileEntry, FileKind, Leak, Password, Units, User
from imagebake.kernel.errors import ValidationFailed

_FOLDERS = (
    "/etc/systemd/system/",
    "/usr/local/lib/systemd/system/",
    "/usr/lib/systemd/system/",
    "/lib/systemd/system/",
)
_KINDS = (".service", ".timer", ".socket", ".path", ".target", ".mount", ".slice")


def read_units(files: Mapping[str, FileEntry]) -> Units:
    """Return the known, enabled and masked units; `/etc` overrides the vendor's directory."""
    known: set[str] = set()
    enabled: set[str] = set()
    masks: dict[str, bool] = {}
    for folder in _FOLDERS:
        for path, entry in files.items():
            if not path.startswith(folder) or not path.endswith(_KINDS):
                continue
            parent, _, name = path[len(folder) :].rpartition("/")
            if parent.endswith((".wants", ".requires")):
                enabled.add(name)
            elif not parent:
                known.add(name)
                # The folders are in systemd's order of precedence, so the first with a unit
                # decides.
                masks.setdefault(name, _is_mask(entry))
                enabled |= _aliased(name, entry)
    masked = frozenset(name for name, mask in masks.items() if mask)
    return Units(frozenset(known), frozenset(enabled), masked)


def _is_mask(entry: FileEntry) -> bool:
    """Return whether systemd treats the file as a mask: a link to `/dev/null`, or empty."""
    empty = entry.kind is FileKind.FILE and entry.size == 0
    return empty or entry.target == "/dev/null"


def _aliased(name: str, entry: FileEntry) -> set[str]:
    """Return the unit that an alias in `/etc` enables: `sshd.service` links to `ssh.service`."""
    if entry.target in {None, "/dev/null"} or not entry.path.startswith("/etc/"):
        return set()
    return {name, posixpath.basename(entry.target or "")}


_ACCOUNT = re.compile(
    r"(?P<name>[^:]+):(?P<password>[^:]*):(?P<uid>[0-9]{1,10}):(?P<gid>[0-9]{1,10}):"
    r"[^:]*:(?P<home>[^:]*):(?P<shell>[^:]*)"
)


def parse_users(passwd: str, shadow: str) -> tuple[User, ...]:
    """Return the accounts in *passwd*'s order; malformed lines are skipped."""
    shadows = _shadow_fields(shadow)
    users: list[User] = []
    for line in passwd.splitlines():
        if not (account := _ACCOUNT.fullmatch(line)):
            continue
        # 'x' stands for the field in the shadow file; an account without a line there is locked.
        name, field = account["name"], account["password"]
        password = password_state(shadows.get(name, "*") if field == "x" else field)
        uid, gid = int(account["uid"]), int(account["gid"])
        users.append(User(name, uid, gid, account["home"], account["shell"], password))
    return tuple(users)


def parse_groups(group: str) -> tuple[str, ...]:
    """Return the names of the groups, in the file's order."""
    return tuple(line.split(":")[0] for line in group.splitlines() if ":" in line)


def password_state(field: str) -> Password:
    """Return the state of a shadow(5) password field: a locked one matches no password."""
    if not field:
        return Password.EMPTY
    return Password.LOCKED if field[0] in "!*" else Password.SET


def hashed_accounts(shadow: str) -> tuple[str, ...]:
    """Return the accounts with a hash in a shadow file, or in an old copy of it."""
    fields = _shadow_fields(shadow).items()
    return tuple(name for name, field in fields if field.lstrip("!*"))


def _shadow_fields(shadow: str) -> dict[str, str]:
    rows = (line.split(":") for line in shadow.splitlines() if line.count(":") > 1)
    return {row[0]: row[1] for row in rows}


MOST_MEMBERS = 1_000_000
"""Limit of an archive's members."""

KEPT = (
    "/etc/apt/*",
    "/etc/cloud/*",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/imagebake/*",
    "/etc/machine-id",
    "/etc/resolv.conf",
    "/etc/sudoers.d/*",
    "/etc/waagent.conf",
    "/etc/waagent_policy.json",
    "/opt/imagebake/cache.json",
    "/usr/lib/os-release",
    "/var/lib/dbus/machine-id",
)
"""Files whose text rules read; none of them may hold a password."""

_PRIVATE = "/etc/apt/auth.conf"
_PARSED = ("/etc/passwd", "/etc/shadow", "/etc/shadow-", "/etc/group", dpkg.STATUS)
_CHUNK = 1 << 16
_UNREADABLE = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError)


def read_contents(stream: IO[bytes]) -> Contents:
    """Read an uncompressed tar to its end, without unpacking or running anything.

    Raises `ValidationFailed` for a damaged tar archive. Names with `..` or a leading slash are
    resolved inside the image; of two equal names the later counts.
    """
    reading = _ContentsReader()
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK) as archive:
            for number, member in enumerate(archive):
                if number >= MOST_MEMBERS:
                    raise ValidationFailed(f"the image has more than {MOST_MEMBERS} files")
                reading.take(archive, member)
    except _UNREADABLE as error:
        raise ValidationFailed(
            f"the image cannot be read: {error}", hint="bake it again: ./inv bake IMAGE --force"
        ) from error
    return reading.contents()


@dataclass(slots=True)
class _ContentsReader:
    files: dict[str, FileEntry] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    parsed: dict[str, str] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, str] = field(default_factory=dict)
    suspects: list[tuple[Leak, str]] = field(default_factory=list)

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = image_path(member.name)
        if path == "/":
            return
        if member.isreg() and not member.issparse():
            file = archive.extractfile(member)
            self.files[path] = self._file(path, member, file) if file else _entry(path, member)
        # A tar has a hard link after the file that it points at.
        elif member.islnk():
            target = self.files.get(image_path(member.linkname))
            if target is not None and target.kind is FileKind.FILE:
                self._link(path, target)
        else:
            self.files[path] = _entry(path, member)

    def _file(self, path: str, member: tarfile.TarInfo, file: IO[bytes]) -> FileEntry:
        # A single read holds nearly every file; larger ones are hashed in pieces and not searched.
        first = file.read(secrets.LARGEST + 1)
        state = hashlib.sha256(first)
        while piece := file.read(_CHUNK):
            state.update(piece)
        if len(first) <= secrets.LARGEST:
            self._small(path, first)
        return _entry(path, member, sha256=state.hexdigest())

    def _link(self, path: str, target: FileEntry) -> None:
        self.files[path] = FileEntry(
            path, FileKind.FILE, target.mode, target.uid, target.gid, target.size, target.sha256
        )
        if target.path in self.texts and _is_kept(path):
            self.texts[path] = self.texts[target.path]

    def _small(self, path: str, content: bytes) -> None:
        self.texts.pop(path, None)
        self.parsed.pop(path, None)
        if path in _PARSED:
            self.parsed[path] = content.decode(errors="replace")
        elif path.startswith(dpkg.LISTS):
            self._package_record(path, content)
        else:
            if _is_kept(path):
                self.texts[path] = content.decode(errors="replace")
            self._search(path, content)

    def _package_record(self, path: str, content: bytes) -> None:
        if path.endswith(".list"):
            package = posixpath.basename(path).removesuffix(".list").partition(":")[0]
            listed = dpkg.listed_paths(content.decode(errors="replace"))
            self.owned |= dict.fromkeys(listed, package)
        elif path.endswith(".md5sums"):
            self.recorded |= dpkg.recorded_digests(content.decode(errors="replace"))

    def _search(self, path: str, content: bytes) -> None:
        leaks = list(secrets.find_secrets(path, content))
        if leaks:
            # dpkg records nothing but MD5. A file as its package delivered it is public, so no
            # leak.
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            self.suspects += [(leak, digest) for leak in leaks]

    def contents(self) -> Contents:
        text = {path: self.parsed.get(path, "") for path in _PARSED}
        status = text[dpkg.STATUS]
        recorded = self._straight(self.recorded) | dpkg.recorded_conffiles(status)
        owners = self._straight(self.owned)
        return Contents(
            files=dict(sorted(self.files.items())),
            texts=self.texts,
            packages=dpkg.parse_status(status),
            users=parse_users(text["/etc/passwd"], text["/etc/shadow"]),
            groups=parse_groups(text["/etc/group"]),
            stale_hashes=hashed_accounts(text["/etc/shadow-"]),
            units=read_units(self.files),
            owned=frozenset(owners),
            owners=owners,
            leaks=tuple(
                sorted(leak for leak, digest in self.suspects if recorded.get(leak.path) != digest)
            ),
        )

    def _straight(self, paths: dict[str, str]) -> dict[str, str]:
        """Return *paths* where `/bin`, `/lib` and `/sbin` are links into `/usr`."""
        tops = {
            path: image_path(entry.target or "")
            for path, entry in self.files.items()
            if entry.kind is FileKind.LINK and path.count("/") == 1
        }
        moved = {}
        for path, value in paths.items():
            top, slash, rest = path[1:].partition("/")
            folder = tops.get("/" + top) if slash else None
            moved[f"{folder}/{rest}" if folder else path] = value
        return moved


def image_path(name: str) -> str:
    """Return the absolute path in the image for an archive's *name*.

    It has no `..`, and characters that a terminal cannot show are escaped.
    """
    path = posixpath.normpath("/" + name.lstrip("/"))
    if path.isprintable():
        return path
    return path.encode("unicode_escape", "backslashreplace").decode()


def _is_kept(path: str) -> bool:
    # apt keeps the passwords of archives there (apt_auth.conf(5)).
    if path.startswith(_PRIVATE):
        return False
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in KEPT)


def _entry(path: str, member: tarfile.TarInfo, *, sha256: str | None = None) -> FileEntry:
    kind = FileKind.OTHER
    if member.isreg():
        kind = FileKind.FILE
    elif member.isdir():
        kind = FileKind.DIRECTORY
    elif member.issym():
        kind = FileKind.LINK
    target = member.linkname if kind is FileKind.LINK else None
    mode = member.mode & 0o7777
    return FileEntry(path, kind, mode, member.uid, member.gid, member.size, sha256, target)
