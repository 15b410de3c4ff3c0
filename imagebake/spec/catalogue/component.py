"""Catalogue entries: the data that scripts and rules are generated from."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from imagebake.kernel.text.versions import DebianVersion
from imagebake.spec.model.adoption import DeniedVersions
from imagebake.spec.model.base import Distribution

STATE = r"C:\ProgramData\imagebake"
"""Directory of what the image records about itself."""

MANIFEST = rf"{STATE}\manifest.json"
"""Path of the image's manifest."""

DEPROVISIONING = r"c:\DeprovisioningScript.ps1"
"""Path at which Image Builder expects the deprovisioning script."""

MODULES = r"C:\Program Files\WindowsPowerShell\Modules"
"""Directory of Windows PowerShell's modules for all users."""

MODULES_OF_7 = r"C:\Program Files\PowerShell\Modules"
"""Directory that PowerShell 7 searches first."""

POWERSHELL_7 = "windows-powershell"
"""The name of PowerShell 7 in the catalogue."""

GUEST_AGENT = "windows-guest-agent"
"""The name of the guest agent in the catalogue."""


class InstallerKind(enum.StrEnum):
    """The format of an installer: a Windows Installer package, or an archive of programs."""

    MSI = "msi"
    ZIP = "zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A DWORD value in the registry."""

    key: str
    name: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A machine-wide environment variable."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """How an agent of Windows is installed, and what keeps it at its version.

    *properties* go to an MSI; the files beside *program* in a ZIP go to *folder*, which joins
    PATH. With *at_least* a machine may have a newer version than the image, because Azure
    updates it. *variables* and *numbers* turn off its own updates.
    """

    kind: InstallerKind
    properties: tuple[str, ...] = ()
    folder: str = ""
    program: str = ""
    at_least: bool = False
    variables: tuple[Variable, ...] = ()
    numbers: tuple[Number, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A registry setting that keeps Windows from downloading when a machine starts."""

    number: Number
    fetches: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Updater:
    """A service, or scheduled tasks, that only download; *task* may contain wildcards."""

    service: str = ""
    task: str = ""
    fetches: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A `key=value` line of a configuration file; it replaces all lines of its key."""

    path: str
    key: str
    value: str

    @property
    def line(self) -> str:
        """The line as the file has it."""
        return f"{self.key}={self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIn:
    """A complete configuration file that imagebake adds."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfUpdateStop:
    """Settings that keep a component from updating itself, from version *since* on."""

    since: str = "0"
    settings: tuple[Setting, ...] = ()
    drop_ins: tuple[DropIn, ...] = ()


class CreatePath(enum.StrEnum):
    """When a component is part of creating a machine.

    `bake`: its payload is in the image. `after`: it is attached once machines exist, and never
    requested while they are created. `never`: it is left out altogether.
    """

    BAKE = "bake"
    AFTER = "after"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A component of machines; a spec may pin it by name, as an agent, if it has packages.

    *packages* are Debian's, *ubuntu* Ubuntu's names where they differ; the first carries the
    pinned version. *publisher* and *type* are those of the equivalent extension. *distributed*
    says whether the distribution itself ships it. *install*, *self_update* and *offline* are
    sentences for people: how it gets into an image offline, what keeps it at its version
    besides *stops*, and how it behaves while every artifact host is down. *services* must be
    enabled in the image. *version_query* is shell (on Windows PowerShell) that prints a text
    containing the upstream version; when empty, the package's version counts. *stops* ascend by
    version. *hygiene* are paths, with wildcards, that no machine may inherit from the image.
    *denied* are versions that should not be used. A component of Windows can be pinned where it
    has an *installation*.
    """

    name: str
    title: str
    packages: tuple[str, ...] = ()
    publisher: str = ""
    type: str = ""
    create_path: CreatePath = CreatePath.BAKE
    distributed: bool = True
    install: str = "its packages, from the bundle of its step"
    self_update: str = "its packages are held"
    offline: str = "starts without the network"
    services: tuple[str, ...] = ()
    version_query: str = ""
    stops: tuple[SelfUpdateStop, ...] = ()
    hygiene: tuple[str, ...] = ()
    ubuntu: tuple[str, ...] = ()
    denied: tuple[DeniedVersions, ...] = ()
    installation: Installation | None = None
    docs: str

    def on(self, distribution: Distribution) -> Component:
        """Return the component with the package names of *distribution*."""
        renamed = distribution is Distribution.UBUNTU and self.ubuntu
        return replace(self, packages=self.ubuntu) if renamed else self

    @property
    def handler(self) -> str:
        """The handler name of its extension; empty where there is none."""
        return f"{self.publisher}.{self.type}" if self.type else ""

    def stop(self, version: str) -> SelfUpdateStop:
        """Return the settings that keep *version* from updating itself."""
        reached = [
            stop for stop in self.stops if DebianVersion(stop.since) <= DebianVersion(version)
        ]
        return reached[-1] if reached else SelfUpdateStop()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstBootDownload:
    """A unit that downloads soon after a machine starts; *fetches* says what."""

    unit: str
    fetches: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsCatalogue:
    """The part of the catalogue for Windows.

    *components* can be pinned by name; every image turns off *policies* and *updaters*;
    *hygiene* are paths, with wildcards, that no image may contain.
    """

    components: Mapping[str, Component] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    updaters: tuple[Updater, ...] = ()
    hygiene: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All known components, and the units that every image masks.

    *others* cannot be pinned as agents of Linux: extensions, files, and everything for Windows,
    of which *windows* has what can be pinned there.
    """

    components: Mapping[str, Component]
    downloads: tuple[FirstBootDownload, ...]
    others: tuple[Component, ...] = ()
    windows: WindowsCatalogue = field(default_factory=WindowsCatalogue)

    def pinned(self, on_windows: bool) -> Mapping[str, Component]:  # noqa: FBT001 - one of two
        """Return the components that a spec can pin as agents on its operating system."""
        return self.windows.components if on_windows else self.components

    def on(self, distribution: Distribution) -> Catalogue:
        """Return the catalogue with the package names of *distribution*."""
        components = {
            name: component.on(distribution) for name, component in self.components.items()
        }
        return replace(self, components=components)
