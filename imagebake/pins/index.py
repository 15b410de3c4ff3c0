"""An archive's package index: what there is, in an order that is ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imagebake.errors import ArtifactError
from imagebake.host.debs import parse_stanza
from imagebake.model.versions import DebianVersion

_UNREAD = re.compile(
    rb"^(?:Description|Description-md5|Tag|Homepage|Maintainer|Original-Maintainer|Bugs|Task|"
    rb"Recommends|Suggests|Enhances|MD5sum|SHA1|SHA512|Build-Ids|Built-Using|Static-Built-Using|"
    rb"Ruby-Versions|Python-Version|Go-Import-Path|Ghc-Package):.*\n(?:[ \t].*\n)*",
    re.MULTILINE,
)
_NAME = b"Package: "


@dataclass(frozen=True, slots=True)
class Index:
    """The packages of one suite for one architecture.

    Fields that no solver reads are left out, and the stanzas are sorted, so that nothing
    that follows can depend on the order in which an archive lists them.
    """

    stanzas: Mapping[str, tuple[bytes, ...]]

    @classmethod
    def parse(cls, texts: Iterable[bytes]) -> Index:
        """Read the `Packages` files of a suite's components."""
        stanzas: dict[str, list[bytes]] = {}
        for text in texts:
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
        """The versions there are of *name*, the newest last."""
        spelled = {package["Version"] for package in self.packages(name)}
        return tuple(sorted(spelled, key=lambda text: (DebianVersion(text), text)))

    def find(self, name: str, version: str, architecture: str) -> dict[str, str] | None:
        """The stanza of exactly that package, which fits *architecture*."""
        for package in self.packages(name):
            if package["Version"] == version and package["Architecture"] in (architecture, "all"):
                return package
        return None

    def minimal(self) -> tuple[str, ...]:
        """The packages that every system of the suite has: essential, or required."""
        wanted = re.compile(rb"^(?:Essential: yes|Priority: required)$", re.MULTILINE)
        return tuple(name for name, found in self.stanzas.items() if any(map(wanted.search, found)))


def field(package: Mapping[str, str], name: str) -> str:
    """The field *name* that a stanza of an index always has."""
    try:
        return package[name]
    except KeyError:
        raise ArtifactError(
            f"the archive's index says no {name} for {package.get('Package', 'a package')}"
        ) from None
