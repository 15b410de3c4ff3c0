"""What a host is told of a machine and its extensions."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from imagebake.emulator.machine_host import ExtensionOrder, MachineOrder
from imagebake.emulator.store import Resource, Session

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
