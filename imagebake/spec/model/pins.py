"""Pins: what an image must contain, at which exact version, and who answers for it."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

from imagebake.kernel.text import names
from imagebake.kernel.text.constrained import described, spelled
from imagebake.kernel.text.versions import (
    DEBIAN,
    HANDLER,
    DebianVersion,
    HandlerVersion,
    exact_debian_version,
    exact_module_version,
)
from imagebake.spec.model.adoption import Adoption, FileSource
from imagebake.spec.model.base import Value
from imagebake.spec.model.delivery import AGENTS, PACKAGES, WantedFile, agent_folder, package_name
from imagebake.spec.model.types import (
    AgentName,
    AgentVersion,
    Day,
    DebianPackage,
    ExtensionName,
    FileMode,
    HostName,
    HttpsAddress,
    ImagePath,
    Owner,
    Sha256,
    Text,
)


class Stewardship(Value):
    """Who answers for a pin, why it is where it is, and when to look again."""

    owner: Owner | None = None
    """Who answers for this pin; the spec's owner when absent."""
    reason: Text | None = None
    """Why this version, where that is not obvious."""
    review_by: Day | None = None
    """The day by which somebody looks at this pin again."""
    hold: Text | None = None
    """Why this pin must stay at its version; `bump` leaves it alone."""
    adoption: Adoption | None = None
    """When a newer version of it may be adopted, where that differs from the spec's."""


STEWARDSHIP = frozenset({*Stewardship.model_fields, "source"})
"""What a pin says about its own life: no change of it makes a lock stale."""


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


def _exact_handler_version(text: str) -> str:
    return HandlerVersion(text).text


DebianVersionText = Annotated[
    str,
    StringConstraints(max_length=100),
    AfterValidator(exact_debian_version),
    described(DEBIAN, "an exact Debian version, such as '1:2.39.5-0+deb12u3'", 100),
]
"""The exact version of a Debian package."""

HandlerVersionText = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_exact_handler_version),
    described(HANDLER, "a full handler version, such as '1.10.0.2'", 40),
]
"""The full version of an extension handler."""


class GoalStateAgent(Value):
    """A newer guest agent than the package's, which the packaged one finds on the disk and runs."""

    file: HttpsAddress
    """Where the official zip is fetched from, over https."""
    version: AgentVersion
    """Its full version: four numbers."""
    sha256: Sha256
    """The digest of the zip."""
    redirects: tuple[HostName, ...] | None = None
    """The other hosts that its server may send downloads to; none when absent."""


class AgentPin(Stewardship):
    """A component of the catalogue at an exact version."""

    agent: AgentName
    """The component's name in the catalogue, such as `azure-linux-agent`."""
    version: DebianVersionText
    """The exact version of its Debian package; on Windows, of what its installer installs."""
    installer: Installer | None = None
    """On Windows, where agents have no package: what installs it."""
    goal_state_agent: GoalStateAgent | None = None
    """For `azure-linux-agent`: the agent that machines run instead of the package's own."""

    @property
    def name(self) -> str:
        """What the pin is called in messages and in the lock."""
        return self.agent

    @property
    def newest(self) -> str:
        """The version of the newest agent on the disk, which is the one that runs."""
        on_disk = [self.version]
        if self.goal_state_agent:
            on_disk.append(self.goal_state_agent.version)
        return max(on_disk, key=DebianVersion)

    @property
    def wanted_file(self) -> WantedFile | None:
        """The zip of its goal-state agent, with the place where it survives generalisation."""
        agent = self.goal_state_agent
        if agent is None:
            return None
        place = f"{agent_folder(AGENTS, agent.version)}.zip"
        return WantedFile(
            name=place.rpartition("/")[2],
            version=agent.version,
            url=agent.file,
            sha256=agent.sha256,
            destination=place,
            mode="0644",
            redirects=agent.redirects,
        )


class PackagePin(Stewardship):
    """A Debian package at an exact version."""

    package: DebianPackage
    """The binary package's name."""
    version: DebianVersionText
    """Its exact version, as `apt-cache policy` spells it."""

    @property
    def name(self) -> str:
        """What the pin is called in messages and in the lock."""
        return self.package


class FilePin(Stewardship):
    """A file by address and digest."""

    file: HttpsAddress
    """Where it is fetched from, over https; its last part names the pin."""
    version: Text
    """What the publisher calls this version."""
    sha256: Sha256
    """The digest of its content."""
    destination: ImagePath
    """Where it is in the image."""
    mode: FileMode = "0644"
    """Its permissions, in octal."""
    redirects: tuple[HostName, ...] | None = None
    """The other hosts that its server may send downloads to; none when absent."""
    source: FileSource | None = None
    """Where newer versions of it are published; without it the pin moves by hand."""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.file.rsplit("/", 1)[-1]

    @property
    def wanted_file(self) -> WantedFile:
        """The file, with its place."""
        return WantedFile(
            name=self.name,
            version=self.version,
            url=self.file,
            sha256=self.sha256,
            destination=self.destination,
            mode=self.mode,
            redirects=self.redirects,
        )


KINDS = ("agent", "package", "module", "file")
"""The key that says which kind of pin it is; of a module, `file` only says where it is."""


def _pin_kind(value: Any) -> str | None:  # noqa: ANN401 - what the text says, before it is checked
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    return next((kind for kind in KINDS if kind in keys), None)


Pin = Annotated[
    Annotated[AgentPin, Tag("agent")]
    | Annotated[PackagePin, Tag("package")]
    | Annotated[FilePin, Tag("file")]
    | Annotated[ModulePin, Tag("module")],
    Discriminator(
        _pin_kind,
        custom_error_type="pin_kind",
        custom_error_message="a pin is an agent, a package, a file or a module",
    ),
]


class DeliveryMode(enum.StrEnum):
    """How the function of an extension reaches a machine.

    `native`: as a package or service in the image. `cached`: the official zip, served by
    the image itself. `absent`: not in the image, and not asked for at creation.
    """

    NATIVE = "native"
    CACHED = "cached"
    ABSENT = "absent"


class UnfitModeError(ValueError):
    """An extension whose keys do not fit the way it is delivered."""


class ExtensionPackage(Value):
    """The official zip of an extension, byte for byte as its publisher signed it."""

    file: HttpsAddress
    """Where the zip is fetched from, over https; the cache answers for hosts of its domain."""
    sha256: Sha256
    """The digest of the zip."""


class ExtensionPin(Stewardship):
    """An extension handler at its full version, with the way it is delivered."""

    publisher: ExtensionName
    """The handler's publisher, such as `Microsoft.Azure.Monitor`."""
    type: ExtensionName
    """The handler's type, such as `AzureMonitorLinuxAgent`."""
    version: HandlerVersionText
    """Its full version: three or four numbers."""
    mode: Annotated[DeliveryMode, Field(strict=False)]
    """`native`, `cached` or `absent`."""
    package: ExtensionPackage | None = None
    """For `cached`, which needs it: the zip that the image serves to its own agent."""

    @model_validator(mode="after")
    def _package_fits_mode(self) -> Self:
        cached = self.mode is DeliveryMode.CACHED
        if cached and self.package is None:
            raise UnfitModeError(
                "a cached extension needs its official zip: 'package' with 'file' and 'sha256'"
            )
        if self.package and not cached:
            raise UnfitModeError(
                f"'package' is for cached extensions, and this one is {self.mode.value}"
            )
        return self

    @property
    def wanted_file(self) -> WantedFile | None:
        """Its zip, with the place where it survives generalisation; nobody but root reads it."""
        if self.package is None:
            return None
        name = package_name(self.handler, self.version)
        return WantedFile(
            name=name,
            version=self.version,
            url=self.package.file,
            sha256=self.package.sha256,
            destination=f"{PACKAGES}/{name}",
            mode="0600",
        )

    @property
    def handler(self) -> str:
        """The agent's name for it."""
        return names.handler_name(self.publisher, self.type)
