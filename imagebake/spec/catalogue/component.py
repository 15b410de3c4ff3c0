"""What the catalogue knows about a component: data that scripts and rules are made from."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from imagebake.kernel.text.versions import DebianVersion
from imagebake.spec.model.adoption import DeniedVersions
from imagebake.spec.model.base import Distribution

STATE = r"C:\ProgramData\imagebake"
"""What the image says about itself is below it."""

MANIFEST = rf"{STATE}\manifest.json"
"""Where the image has its manifest."""

DEPROVISIONING = r"c:\DeprovisioningScript.ps1"
"""Where Image Builder looks for the script that generalises."""

MODULES = r"C:\Program Files\WindowsPowerShell\Modules"
"""Where Windows PowerShell finds every user's modules."""

MODULES_OF_7 = r"C:\Program Files\PowerShell\Modules"
"""Where PowerShell 7 looks for them first."""

POWERSHELL_7 = "windows-powershell"
"""The name of PowerShell 7 in the catalogue."""

GUEST_AGENT = "windows-guest-agent"
"""The name of the guest agent in the catalogue."""


class InstallerKind(enum.StrEnum):
    """What an installer is: a package of Windows Installer, or an archive with programs."""

    MSI = "msi"
    ZIP = "zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number in the registry."""

    key: str
    name: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An environment variable of the machine."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """How an agent gets into an image, and what keeps it at its version.

    *properties* go to an MSI; what is beside *program* in a ZIP goes to *folder*, which
    joins the search path. With *at_least* a machine may have a newer version than the
    image, because Azure moves it. *variables* and *numbers* keep it from updating itself.
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
    """A setting that keeps Windows from downloading when a machine starts."""

    number: Number
    fetches: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Updater:
    """A service, or scheduled tasks, whose whole work is to download; *task* has wildcards."""

    service: str = ""
    task: str = ""
    fetches: str


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


class CreatePath(enum.StrEnum):
    """Whether something belongs to the creation of machines.

    `bake`: its payload is in the image. `after`: it is attached once machines are there,
    and never asked for while they are created. `never`: it is left out altogether.
    """

    BAKE = "bake"
    AFTER = "after"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Something that machines have: a spec may pin it by name, as an agent, if it has packages.

    *packages* are Debian's; the first carries the pinned version. *publisher* and *type* are
    those of the extension that does the same, or of nothing else. *distributed* says that the
    distribution itself has it, *install* how it gets into an image offline, *self_update* what
    keeps it from moving where no *stops* do, and *offline* what holds of it while every
    artifact host is dead. *services* must be enabled in the image. *version_query* is shell
    that prints a text with the upstream version in it, or empty where the package's own version
    has to do. *stops* ascend. *hygiene* are paths, with wildcards, of what must not reach a
    machine made from the image. *ubuntu* are Ubuntu's names of the packages where they differ.
    *denied* are versions that nobody should have. What Windows has is pinned where it has an
    *installation*; its *version_query* is PowerShell.
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
        """The component with the names that its packages have on *distribution*."""
        renamed = distribution is Distribution.UBUNTU and self.ubuntu
        return replace(self, packages=self.ubuntu) if renamed else self

    @property
    def handler(self) -> str:
        """The agent's name for its extension; empty where there is none."""
        return f"{self.publisher}.{self.type}" if self.type else ""

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
class WindowsCatalogue:
    """What is known of Windows alone.

    *components* can be pinned by name; *policies* and *updaters* are what every image turns
    off, and *hygiene* are paths, with wildcards, of what no image may hold.
    """

    components: Mapping[str, Component] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    updaters: tuple[Updater, ...] = ()
    hygiene: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything that is known: components that can be pinned by name, and what is masked.

    *others* are known and cannot be pinned as agents of Linux: extensions, files, and all of
    Windows, of which *windows* says what its images pin.
    """

    components: Mapping[str, Component]
    downloads: tuple[FirstBootDownload, ...]
    others: tuple[Component, ...] = ()
    windows: WindowsCatalogue = field(default_factory=WindowsCatalogue)

    def pinned(self, on_windows: bool) -> Mapping[str, Component]:  # noqa: FBT001 - one of two
        """What a spec of the one system, or of the other, can pin as an agent."""
        return self.windows.components if on_windows else self.components

    def on(self, distribution: Distribution) -> Catalogue:
        """The catalogue with the names that packages have on *distribution*."""
        components = {name: one.on(distribution) for name, one in self.components.items()}
        return replace(self, components=components)
