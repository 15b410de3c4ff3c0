"""Pins of Windows: installers of agents, and modules of PowerShell."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from imagebake.kernel.spelling import described, spelled
from imagebake.kernel.versions import HANDLER, exact_module_version
from imagebake.model.stewardship import Stewardship
from imagebake.model.texts import HostName, HttpsAddress, Sha256
from imagebake.model.values import Value

ModuleName = Annotated[
    str,
    spelled(
        r"[A-Za-z][A-Za-z0-9_-]{0,99}(\.[A-Za-z0-9_-]{1,50}){0,9}",
        "a module's name, such as 'Az.Accounts'",
    ),
]
"""A module of PowerShell, which a folder is called after."""

ModuleVersion = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(exact_module_version),
    described(HANDLER, "a module's whole version, such as '5.7.1'", 40),
]
"""The version of a module: three or four numbers."""

InstallerArgument = Annotated[
    str,
    spelled(
        r"[A-Z][A-Z0-9_.]{0,70}=[A-Za-z0-9_.:\\/,-]{0,200}",
        "a public property of Windows Installer, such as 'ADD_PATH=1'",
    ),
]
"""What an installer is told; it needs no quoting anywhere."""

Bytes = Annotated[int, Field(ge=1, le=20_000_000_000)]
"""How large a file is."""


class _Download(Value):
    file: HttpsAddress
    """Where it is fetched from, over https."""
    sha256: Sha256
    """The digest of its content."""
    size: Bytes | None = None
    """How many bytes it has, where its publisher says; the digest decides."""
    redirects: tuple[HostName, ...] | None = None
    """The other hosts that its server may send downloads to; none when absent."""


class Installer(_Download):
    """What installs an agent on Windows: an MSI or a ZIP, as the catalogue says."""

    arguments: Annotated[tuple[InstallerArgument, ...], Field(max_length=50)] = ()
    """Public properties for an MSI, in addition to the catalogue's."""


class ModulePin(Stewardship, _Download):
    """A module of PowerShell at an exact version, from its package."""

    module: ModuleName
    """The module's name."""
    version: ModuleVersion
    """Its exact version: three or four numbers."""

    @property
    def name(self) -> str:
        """What the pin is called in messages and in the lock."""
        return self.module
