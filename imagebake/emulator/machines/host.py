"""Interface to the VM host that boots the emulator's virtual machines."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from imagebake.emulator.store import Resource, Session

READY = "Ready"
EXTENSION = "Microsoft.Compute/virtualMachines/extensions"


class MachineFailed(Exception):
    """The VM could not start, or crashed: *code* and *message* become the ARM error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionOrder:
    """An extension in a VM's model; *version* is the requested `major.minor`.

    *sequence* is the settings' sequence number: each PUT of the extension increments it.
    """

    name: str
    publisher: str
    type: str
    version: str
    auto_upgrade: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    protected_settings: Mapping[str, Any] | None = field(default=None, repr=False)
    sequence: int = 0

    @property
    def handler(self) -> str:
        """Return the handler's full name, `Publisher.Type`, as the agent reports it."""
        return f"{self.publisher}.{self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOrder:
    """The VM to boot; *image* is the image record of its gallery version.

    *user_data* is base64, as the instance metadata service returns it.
    """

    id: str
    vm_id: str
    name: str
    location: str
    size: str
    image: Mapping[str, Any]
    user: str
    public_key: str = ""
    custom_data: bytes | None = None
    user_data: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerReport:
    """Status of an extension handler as the agent reports it.

    *extension* is the status that the handler reports of its own work: `success`, `error`,
    `transitioning`, or None before its first report.
    """

    handler: str
    version: str
    status: str
    code: int = 0
    message: str = ""
    extension: str | None = None
    extension_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport:
    """The latest status of a VM: OS provisioning, agent and extension handlers.

    *provisioning* is `Ready`, `NotReady: ` followed by the reason, or None. The agent's fields
    are empty until its first report.
    """

    time: dt.datetime
    provisioning: str | None = None
    agent_version: str = ""
    agent_status: str = ""
    agent_message: str = ""
    handlers: tuple[HandlerReport, ...] = ()

    def handler(self, name: str) -> HandlerReport | None:
        """Return the handler of this name; the comparison ignores case, as on Azure."""
        matching = (handler for handler in self.handlers if handler.handler.lower() == name.lower())
        return next(matching, None)


class RunningMachine(Protocol):
    """A VM that is powered on; thread-safe."""

    def set_extensions(self, extensions: tuple[ExtensionOrder, ...]) -> None:
        """Publish a new goal state with exactly these extensions."""

    def console(self) -> bytes:
        """Return the end of the serial console's output."""
        ...

    def stop(self) -> None:
        """Power off and delete the disk; no report arrives afterwards."""


class MachineHost(Protocol):
    """Boots virtual machines."""

    def boot(
        self, order: MachineOrder, *, on_report: Callable[[MachineReport], None]
    ) -> RunningMachine:
        """Power on a VM and return; *on_report* is called for each report, from any thread.

        Raises `MachineFailed`.
        """
        ...


def wanted_extensions(session: Session, machine_key: str) -> tuple[ExtensionOrder, ...]:
    """Return the extensions in the VM's current model."""
    found = session.list(EXTENSION, f"{machine_key}/extensions/")
    return tuple(_extension(extension) for extension in found if extension.settling != "Deleting")


def _extension(resource: Resource) -> ExtensionOrder:
    properties = resource.properties
    return ExtensionOrder(
        name=resource.name,
        publisher=properties["publisher"],
        type=properties["type"],
        version=properties["typeHandlerVersion"],
        auto_upgrade=bool(properties.get("autoUpgradeMinorVersion")),
        settings=properties.get("settings") or {},
        protected_settings=resource.private.get("protected"),
        sequence=resource.private["sequence"],
    )


def machine_order(machine: Resource, image: Mapping[str, object]) -> MachineOrder:
    """Return the boot order for *machine* from *image*, an image record."""
    properties = machine.properties
    profile = properties["osProfile"]
    linux = profile.get("linuxConfiguration") or {}
    keys = (linux.get("ssh") or {}).get("publicKeys") or [{}]
    custom = machine.private.get("custom_data")
    return MachineOrder(
        id=machine.id,
        vm_id=properties["vmId"],
        name=profile["computerName"],
        location=machine.body["location"],
        size=properties["hardwareProfile"]["vmSize"],
        image=image,
        user=profile["adminUsername"],
        public_key=str(keys[0].get("keyData", "")),
        user_data=machine.private.get("user_data") or "",
        custom_data=base64.b64decode(custom) if custom else None,
        tags=machine.body["tags"],
    )
