"""Pins: what an image must contain, at which exact version, and who is responsible."""

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

from imagebake.kernel.text import constrained
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
    """Who is responsible for a pin, why it is at its version, and when to review it."""

    owner: Owner | None = None
    """The team or person responsible for this pin; the spec's owner when absent."""
    reason: Text | None = None
    """Why this version, if that is not obvious."""
    review_by: Day | None = None
    """The day by which the pin must be reviewed."""
    hold: Text | None = None
    """Why this pin must stay at its version; `bump` leaves it alone."""
    adoption: Adoption | None = None
    """When a newer version may be adopted, if that differs from the spec's rules."""


STEWARDSHIP = frozenset({*Stewardship.model_fields, "source"})
"""Keys of a pin that do not affect its content: changing them leaves a lock fresh."""


ModuleName = Annotated[
    str,
    spelled(
        r"[A-Za-z][A-Za-z0-9_-]{0,99}(\.[A-Za-z0-9_-]{1,50}){0,9}",
        "a module's name, such as 'Az.Accounts'",
    ),
]
"""The name of a PowerShell module."""

ModuleVersion = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(exact_module_version),
    described(HANDLER, "a module's whole version, such as '5.7.1'", 40),
]
"""The version of a PowerShell module: three or four numbers."""

InstallerArgument = Annotated[
    str,
    spelled(
        r"[A-Z][A-Z0-9_.]{0,70}=[A-Za-z0-9_.:\\/,-]{0,200}",
        "a public property of Windows Installer, such as 'ADD_PATH=1'",
    ),
]
"""A public property of Windows Installer; it needs no quoting."""

Bytes = Annotated[int, Field(ge=1, le=20_000_000_000)]
"""The size of a file in bytes."""


class _Download(Value):
    file: HttpsAddress
    """The https address of the file."""
    sha256: Sha256
    """The sha256 of its content."""
    size: Bytes | None = None
    """Its size in bytes, where the publisher states it; the digest decides."""
    redirects: tuple[HostName, ...] | None = None
    """Other hosts that its server may redirect downloads to; none when absent."""


class Installer(_Download):
    """The installer of an agent on Windows: an MSI or a ZIP, as the catalogue says."""

    arguments: Annotated[tuple[InstallerArgument, ...], Field(max_length=50)] = ()
    """Public properties for an MSI, in addition to the catalogue's."""


class ModulePin(Stewardship, _Download):
    """A PowerShell module at an exact version, with its package."""

    module: ModuleName
    """The module's name."""
    version: ModuleVersion
    """Its exact version: three or four numbers."""

    @property
    def name(self) -> str:
        """The pin's name in messages and in the lock."""
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
    """A guest agent newer than the package's; the packaged agent finds it on disk and runs it."""

    file: HttpsAddress
    """The https address of the official zip."""
    version: AgentVersion
    """Its full version: four numbers."""
    sha256: Sha256
    """The sha256 of the zip."""
    redirects: tuple[HostName, ...] | None = None
    """Other hosts that its server may redirect downloads to; none when absent."""


class AgentPin(Stewardship):
    """A component of the catalogue at an exact version."""

    agent: AgentName
    """The component's name in the catalogue, such as `azure-linux-agent`."""
    version: DebianVersionText
    """The exact version of its Debian package; on Windows, of what its installer installs."""
    installer: Installer | None = None
    """On Windows, where agents have no package: their installer."""
    goal_state_agent: GoalStateAgent | None = None
    """For `azure-linux-agent`: the agent that machines run instead of the packaged one."""

    @property
    def name(self) -> str:
        """The pin's name in messages and in the lock."""
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
        """The zip of its goal-state agent, at a path that survives generalisation."""
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
        """The pin's name in messages and in the lock."""
        return self.package


class FilePin(Stewardship):
    """A file by address and digest."""

    file: HttpsAddress
    """The https address of the file; its last segment names the pin."""
    version: Text
    """The publisher's name for this version."""
    sha256: Sha256
    """The sha256 of its content."""
    destination: ImagePath
    """Its path in the image."""
    mode: FileMode = "0644"
    """Its permissions, in octal."""
    redirects: tuple[HostName, ...] | None = None
    """Other hosts that its server may redirect downloads to; none when absent."""
    source: FileSource | None = None
    """Where newer versions are published; without it the pin is only moved by hand."""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.file.rsplit("/", 1)[-1]

    @property
    def wanted_file(self) -> WantedFile:
        """The file, with its destination."""
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
"""The key that says which kind of pin a mapping is; a module's `file` is only its address."""


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

    `native`: as a package or service in the image. `cached`: the official zip, served by the
    image itself. `absent`: not in the image, and not requested at creation.
    """

    NATIVE = "native"
    CACHED = "cached"
    ABSENT = "absent"


class UnfitModeError(ValueError):
    """The keys of an extension do not fit its delivery mode."""


class ExtensionPackage(Value):
    """The official zip of an extension, byte for byte as its publisher signed it."""

    file: HttpsAddress
    """The https address of the zip; the cache answers for hosts of its domain."""
    sha256: Sha256
    """The sha256 of the zip."""


class ExtensionPin(Stewardship):
    """An extension handler at its full version, with its delivery mode."""

    publisher: ExtensionName
    """The handler's publisher, such as `Microsoft.Azure.Monitor`."""
    type: ExtensionName
    """The handler's type, such as `AzureMonitorLinuxAgent`."""
    version: HandlerVersionText
    """Its full version: three or four numbers."""
    mode: Annotated[DeliveryMode, Field(strict=False)]
    """`native`, `cached` or `absent`."""
    package: ExtensionPackage | None = None
    """Required for `cached`: the zip that the image serves to its own agent."""

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
        """Its zip, at a path that survives generalisation; readable by root only."""
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
        """The agent's name for the extension."""
        return constrained.handler_name(self.publisher, self.type)
