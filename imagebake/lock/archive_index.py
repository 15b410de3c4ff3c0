"""The package index of an archive, in a canonical order."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.debs import parse_stanza
from imagebake.kernel.text.versions import DebianVersion

_UNREAD = re.compile(
    rb"^(?:Description|Description-md5|Tag|Homepage|Maintainer|Original-Maintainer|Bugs|Task|"
    rb"Recommends|Suggests|Enhances|MD5sum|SHA1|SHA512|Build-Ids|Built-Using|Static-Built-Using|"
    rb"Ruby-Versions|Python-Version|Go-Import-Path|Ghc-Package):.*\n(?:[ \t].*\n)*",
    re.MULTILINE,
)
_VERSION = re.compile(r"(?:\d+:)?\d[A-Za-z0-9.+~-]*")
_NAME = b"Package: "


@dataclass(frozen=True, slots=True)
class Index:
    """The packages of one suite for one architecture.

    Fields that no solver reads are dropped and the stanzas are sorted, so that a lock cannot
    depend on the order in which an archive lists them.
    """

    stanzas: Mapping[str, tuple[bytes, ...]]

    @classmethod
    def parse(cls, texts: Iterable[bytes], only: Collection[str] | None = None) -> Index:
        """Read a suite's `Packages` files; with *only*, packages of these names."""
        stanzas: dict[str, list[bytes]] = {}
        for whole in texts:
            text = whole if only is None else _of_names(whole, only)
            for stanza in _UNREAD.sub(b"", text.rstrip(b"\n") + b"\n").split(b"\n\n"):
                if stanza.startswith(_NAME):
                    name = stanza[len(_NAME) : stanza.find(b"\n")].decode("ascii", "replace")
                    stanzas.setdefault(name, []).append(stanza.rstrip(b"\n"))
        return cls({name: tuple(sorted(set(stanzas[name]))) for name in sorted(stanzas)})

    @property
    def text(self) -> bytes:
        """The index for apt."""
        return b"".join(stanza + b"\n\n" for several in self.stanzas.values() for stanza in several)

    def packages(self, name: str) -> tuple[dict[str, str], ...]:
        """Return every stanza of the package *name*."""
        found = self.stanzas.get(name, ())
        return tuple(parse_stanza(stanza.decode("utf-8", "replace")) for stanza in found)

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the versions of *name* that a pin can name, the newest last."""
        spelled = {package["Version"] for package in self.packages(name)}
        exact = [DebianVersion(text) for text in spelled if _VERSION.fullmatch(text)]
        return tuple(version.text for version in sorted(exact))

    def find(self, name: str, version: str, architecture: str) -> dict[str, str] | None:
        """Return the stanza of exactly that package and version that fits *architecture*."""
        for package in self.packages(name):
            if package["Version"] == version and package["Architecture"] in (architecture, "all"):
                return package
        return None

    def siblings(self, name: str, version: str) -> tuple[str, ...]:
        """Return the packages built from the same source at the same *version*, *name* included."""
        sources = {
            package.get("Source", name).partition(" ")[0]
            for package in self.packages(name)
            if package["Version"] == version
        }
        return tuple(
            sibling
            for source in sources
            for sibling, found in self.stanzas.items()
            if any(_is_of(stanza, sibling, source.encode(), version.encode()) for stanza in found)
        )

    def minimal(self) -> tuple[str, ...]:
        """Return the packages that every system of the suite has: essential or required."""
        wanted = re.compile(rb"^(?:Essential: yes|Priority: required)$", re.MULTILINE)
        return tuple(name for name, found in self.stanzas.items() if any(map(wanted.search, found)))


def _of_names(text: bytes, names: Collection[str]) -> bytes:
    """Return the stanzas of *text* for packages of these names."""
    heads = tuple(_NAME + name.encode() + b"\n" for name in names)
    return b"\n\n".join(stanza for stanza in text.split(b"\n\n") if stanza.startswith(heads))


def _is_of(stanza: bytes, name: str, source: bytes, version: bytes) -> bool:
    if b"\nVersion: " + version + b"\n" not in stanza:
        return False
    if b"\nSource: " not in stanza:
        return name.encode() == source
    return b"\nSource: " + source + b"\n" in stanza or b"\nSource: " + source + b" (" in stanza


def field(package: Mapping[str, str], name: str) -> str:
    """Return the mandatory field *name* of a stanza; raises `ArtifactError` where it is missing."""
    try:
        return package[name]
    except KeyError:
        raise ArtifactError(
            f"the archive's index says no {name} for {package.get('Package', 'a package')}"
        ) from None
