"""Which package each unit of an image is from, read from dpkg's lists."""

from __future__ import annotations

from pathlib import Path

_LISTS = "var/lib/dpkg/info"
_FOLDERS = ("/lib/systemd/system/", "/usr/lib/systemd/system/", "/etc/systemd/system/")
_SCRIPTS = "/etc/init.d/"


def unit_packages(root: Path) -> dict[str, str]:
    """The package of each systemd unit in the file system at *root*.

    A script below `/etc/init.d` is the unit that systemd makes of it.
    """
    found: dict[str, str] = {}
    for path in sorted((root / _LISTS).glob("*.list")):
        package = path.name.removesuffix(".list").partition(":")[0]
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if unit := _unit(line):
                found.setdefault(unit, package)
    return found


def _unit(path: str) -> str:
    for folder in _FOLDERS:
        if path.startswith(folder):
            name = path[len(folder) :]
            return name if "/" not in name and "." in name else ""
    if path.startswith(_SCRIPTS):
        return path.rpartition("/")[2] + ".service"
    return ""
