"""An archive's package index: what there is, in an order that is ours."""

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

    Fields that no solver reads are left out, and the stanzas are sorted, so that nothing
    that follows can depend on the order in which an archive lists them.
    """

    stanzas: Mapping[str, tuple[bytes, ...]]

    @classmethod
    def parse(cls, texts: Iterable[bytes], only: Collection[str] | None = None) -> Index:
        """Read the `Packages` files of a suite's components, or *only* packages of these names."""
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
        """The index as apt reads it."""
        return b"".join(one + b"\n\n" for several in self.stanzas.values() for one in several)

    def packages(self, name: str) -> tuple[dict[str, str], ...]:
        """Every stanza of the package *name*."""
        found = self.stanzas.get(name, ())
        return tuple(parse_stanza(stanza.decode("utf-8", "replace")) for stanza in found)

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of *name* that a pin can name, the newest last."""
        spelled = {package["Version"] for package in self.packages(name)}
        exact = [DebianVersion(text) for text in spelled if _VERSION.fullmatch(text)]
        return tuple(version.text for version in sorted(exact))

    def find(self, name: str, version: str, architecture: str) -> dict[str, str] | None:
        """The stanza of exactly that package, which fits *architecture*."""
        for package in self.packages(name):
            if package["Version"] == version and package["Architecture"] in (architecture, "all"):
                return package
        return None

    def siblings(self, name: str, version: str) -> tuple[str, ...]:
        """The packages that the same source gave at the same *version*, *name* included."""
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
        """The packages that every system of the suite has: essential, or required."""
        wanted = re.compile(rb"^(?:Essential: yes|Priority: required)$", re.MULTILINE)
        return tuple(name for name, found in self.stanzas.items() if any(map(wanted.search, found)))


def _of_names(text: bytes, names: Collection[str]) -> bytes:
    """The stanzas of *text* that are of packages called so."""
    heads = tuple(_NAME + name.encode() + b"\n" for name in names)
    return b"\n\n".join(one for one in text.split(b"\n\n") if one.startswith(heads))


def _is_of(stanza: bytes, name: str, source: bytes, version: bytes) -> bool:
    if b"\nVersion: " + version + b"\n" not in stanza:
        return False
    if b"\nSource: " not in stanza:
        return name.encode() == source
    return b"\nSource: " + source + b"\n" in stanza or b"\nSource: " + source + b" (" in stanza


def field(package: Mapping[str, str], name: str) -> str:
    """The field *name* that a stanza of an index always has."""
    try:
        return package[name]
    except KeyError:
        raise ArtifactError(
            f"the archive's index says no {name} for {package.get('Package', 'a package')}"
        ) from None
