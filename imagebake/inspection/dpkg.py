"""dpkg's own records: which packages there are, and which paths they brought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagebake.model.contents import InstalledPackage

STATUS = "/var/lib/dpkg/status"
"""Where dpkg writes down what is installed."""

LISTS = "/var/lib/dpkg/info/"
"""Where dpkg writes down, in `*.list`, which paths a package brought."""


def parse_status(text: str) -> tuple[InstalledPackage, ...]:
    """Read dpkg's status file, sorted by name and architecture.

    A stanza that names no package or no state is passed over, as dpkg's own tools do.
    """
    found = [package for stanza in stanzas(text) if (package := _package(stanza)) is not None]
    return tuple(sorted(found, key=lambda package: (package.name, package.architecture)))


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """The stanzas of a deb822 text; continued lines keep their line breaks."""
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
    """The paths of one package's list."""
    return (line for line in text.split("\n") if line.startswith("/") and line != "/.")


def recorded_digests(text: str) -> dict[str, str]:
    """The MD5 of each path in one package's `md5sums`, as the archive delivered it."""
    rows = (line.split("  ", 1) for line in text.split("\n"))
    return {"/" + row[1]: row[0] for row in rows if len(row) > 1}


def recorded_conffiles(status: str) -> dict[str, str]:
    """The MD5 of each configuration file as its package delivered it, from dpkg's status."""
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
        state=words[2] if words[1] == "ok" else words[1],
    )
