"""dpkg's database: installed packages, and the paths that they own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from imagebake.inspection.contents import InstalledPackage

STATUS = "/var/lib/dpkg/status"
"""dpkg's status file."""

LISTS = "/var/lib/dpkg/info/"
"""Directory of dpkg's `*.list` files with the paths of each package."""


def parse_status(text: str) -> tuple[InstalledPackage, ...]:
    """Return the packages of dpkg's status file, sorted by name and architecture.

    A stanza without a package name or a state is skipped, as dpkg's own tools do.
    """
    found = [package for stanza in stanzas(text) if (package := _package(stanza)) is not None]
    return tuple(sorted(found, key=lambda package: (package.name, package.architecture)))


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """Yield the stanzas of a deb822 text; continued lines keep their line breaks."""
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in block.split("\n"):
            if line[:1] in {" ", "\t"}:
                if name:
                    fields[name] += "\n" + line[1:]
                continue
            key, colon, value = line.partition(":")
            if colon:
                name = key
                fields[name] = value.strip()
        if fields:
            yield fields


def listed_paths(text: str) -> Iterator[str]:
    """Return the paths of one package's list."""
    # The first path of every list is "/.", the root directory itself.
    return (line for line in text.split("\n") if line.startswith("/") and line != "/.")


def recorded_digests(text: str) -> dict[str, str]:
    """Return the MD5 of each path in a package's `md5sums`, as the archive delivered it."""
    rows = (line.split("  ", 1) for line in text.split("\n"))
    return {"/" + row[1]: row[0] for row in rows if len(row) > 1}


def recorded_conffiles(status: str) -> dict[str, str]:
    """Return the MD5 of each configuration file in dpkg's status, as its package delivered it."""
    found: dict[str, str] = {}
    for stanza in stanzas(status):
        for line in stanza.get("Conffiles", "").split("\n"):
            path, _, digest = line.strip().partition(" ")
            if path:
                found[path] = digest.split(" ")[0]
    return found


def _package(stanza: Mapping[str, str]) -> InstalledPackage | None:
    words = stanza.get("Status", "").split()
    if len(words) != 3 or "Package" not in stanza:  # noqa: PLR2004 - want, flag, state
        return None
    return InstalledPackage(
        name=stanza["Package"],
        version=stanza.get("Version", ""),
        architecture=stanza.get("Architecture", ""),
        wanted=words[0],
        # The middle word is 'ok', or an error such as 'reinstreq', which matters more than the
        # state.
        state=words[2] if words[1] == "ok" else words[1],
    )


def installed(layers: Sequence[Path]) -> tuple[InstalledPackage, ...] | None:
    """Return the packages of the topmost status file in *layers*; None where that is unclear.

    Links of the image are not followed, because they could lead to a file of this machine.
    """
    place = STATUS.lstrip("/")
    for layer in layers:
        steps = [layer / part for part in reversed([Path(place), *Path(place).parents[:-1]])]
        if any(step.is_symlink() for step in steps):
            return None
        if not steps[-1].exists():
            continue
        try:
            return parse_status(steps[-1].read_text(encoding="utf-8", errors="replace"))
        except OSError:  # a whiteout, or a file that is not ours to read
            return None
    return None


_LISTS = "var/lib/dpkg/info"
_FOLDERS = ("/lib/systemd/system/", "/usr/lib/systemd/system/", "/etc/systemd/system/")
_SCRIPTS = "/etc/init.d/"


def unit_packages(root: Path) -> dict[str, str]:
    """Return the package of each systemd unit in the file system at *root*.

    A script below `/etc/init.d` is the unit that systemd generates from it.
    """
    found: dict[str, str] = {}
    for path in sorted((root / _LISTS).glob("*.list")):
        # Packages of several architectures have a list called NAME:ARCHITECTURE.list.
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
