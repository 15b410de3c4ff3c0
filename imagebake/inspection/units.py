"""The systemd units of an image, told from the links that `systemctl` makes."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from imagebake.inspection.contents import Entry, FileKind, Units

_FOLDERS = (
    "/etc/systemd/system/",
    "/usr/local/lib/systemd/system/",
    "/usr/lib/systemd/system/",
    "/lib/systemd/system/",
)
_KINDS = (".service", ".timer", ".socket", ".path", ".target", ".mount", ".slice")


def read_units(files: Mapping[str, Entry]) -> Units:
    """Tell what is there, enabled and masked; the administrator's `/etc` outranks the vendor."""
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
                masks.setdefault(name, _is_mask(entry))
                enabled |= _aliased(name, entry)
    masked = frozenset(name for name, mask in masks.items() if mask)
    return Units(frozenset(known), frozenset(enabled), masked)


def _is_mask(entry: Entry) -> bool:
    """As systemd has it: a link to `/dev/null`, or an empty file."""
    empty = entry.kind is FileKind.FILE and entry.size == 0
    return empty or entry.target == "/dev/null"


def _aliased(name: str, entry: Entry) -> set[str]:
    """The unit that an alias in `/etc` enables: `sshd.service` links to `ssh.service`."""
    if entry.target in {None, "/dev/null"} or not entry.path.startswith("/etc/"):
        return set()
    return {name, posixpath.basename(entry.target or "")}
