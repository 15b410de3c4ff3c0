"""What stands behind the virtual machines of an emulator."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from imagebake.emulator.store import Resource, Session

READY = "Ready"


class MachineFailed(Exception):
    """The machine could not be started, or broke: *code* and *message* become ARM's error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionOrder:
    """An extension in a machine's model; *version* is the `major.minor` that was asked for.

    *sequence* goes up whenever somebody puts the extension again.
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
        """The handler's full name, as the agent reports it."""
        return f"{self.publisher}.{self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOrder:
    """One machine to be started; *image* is the record of the gallery version it is made from.

    *user_data* is in base64, as the machine gets it from its metadata.
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
    """What the agent says of one handler, and the handler (*extension*…) of its own work.

    *extension* is `success`, `error`, `transitioning`, or None while it has said nothing.
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
    """Everything that a machine has reported so far.

    *provisioning* is `Ready`, or `NotReady: ` and why, or None. The agent's part is empty
    until the agent has reported.
    """

    time: dt.datetime
    provisioning: str | None = None
    agent_version: str = ""
    agent_status: str = ""
    agent_message: str = ""
    handlers: tuple[HandlerReport, ...] = ()

    def handler(self, name: str) -> HandlerReport | None:
        """The handler of this name, without regard to case as on Azure."""
        same = (one for one in self.handlers if one.handler.lower() == name.lower())
        return next(same, None)


class RunningMachine(Protocol):
    """A machine that is on; thread-safe."""

    def set_extensions(self, extensions: tuple[ExtensionOrder, ...]) -> None:
        """Give the machine a new goal state with these extensions and no others."""

    def console(self) -> bytes:
        """The last that the machine printed on its serial console."""
        ...

    def stop(self) -> None:
        """Turn it off and forget what it wrote; nothing reports afterwards."""


class MachineHost(Protocol):
    """Starts machines."""

    def boot(
        self, order: MachineOrder, *, on_report: Callable[[MachineReport], None]
    ) -> RunningMachine:
        """Turn a machine on and return; *on_report* then hears each report, from any thread.

        Raises `MachineFailed`.
        """
        ...


EXTENSION = "Microsoft.Compute/virtualMachines/extensions"


def wanted_extensions(session: Session, machine_key: str) -> tuple[ExtensionOrder, ...]:
    """The extensions that the machine shall have by now."""
    found = session.list(EXTENSION, f"{machine_key}/extensions/")
    return tuple(_extension(one) for one in found if one.settling != "Deleting")


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
    """What to boot for *machine*, from *image*, a record."""
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
