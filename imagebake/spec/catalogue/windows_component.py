"""What the catalogue knows about Windows: how agents are installed, and what downloads."""

from __future__ import annotations

import enum
from dataclasses import dataclass

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
