"""What the catalogue knows about a component: data that scripts and rules are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imagebake.model.adoption import DeniedVersions
from imagebake.model.versions import DebianVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A `key=value` line of a configuration file: it replaces the key's lines, or is added."""

    path: str
    key: str
    value: str

    @property
    def line(self) -> str:
        """The line as it stands in the file."""
        return f"{self.key}={self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIn:
    """A configuration file of our own, complete."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfUpdateStop:
    """What keeps a component from updating itself, from version *since* on."""

    since: str = "0"
    settings: tuple[Setting, ...] = ()
    drop_ins: tuple[DropIn, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A component that a spec may pin by name, as an agent.

    *packages* are Debian's; the first carries the pinned version. *services* must be
    enabled in the image. *version_query* is shell that prints a text with the upstream
    version in it, or empty where the package's own version has to do. *stops* ascend.
    *hygiene* are paths, with wildcards, of what must not reach a machine made from the
    image. *ubuntu* are Ubuntu's names of the packages where they differ. *denied* are
    versions that nobody should have.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    services: tuple[str, ...] = ()
    version_query: str = ""
    stops: tuple[SelfUpdateStop, ...] = ()
    hygiene: tuple[str, ...] = ()
    ubuntu: tuple[str, ...] = ()
    denied: tuple[DeniedVersions, ...] = ()
    docs: str

    def stop(self, version: str) -> SelfUpdateStop:
        """What keeps *version* from updating itself."""
        reached = [
            stop for stop in self.stops if DebianVersion(stop.since) <= DebianVersion(version)
        ]
        return reached[-1] if reached else SelfUpdateStop()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBootDownload:
    """A unit that fetches something soon after a machine starts, and what it fetches."""

    unit: str
    fetches: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything that is known: components by name, and what every image masks."""

    components: Mapping[str, Component]
    downloads: tuple[FirstBootDownload, ...]
