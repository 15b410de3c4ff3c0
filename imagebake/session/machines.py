"""What drills and heartbeats have in common: machines here need root, and extensions to put."""

from __future__ import annotations

import os

from imagebake.azure.model.machine import ExtensionWish
from imagebake.kernel.context import Context, ensure_programs
from imagebake.kernel.errors import UsageError
from imagebake.kernel.host import system_packages
from imagebake.spec.model.pins import DeliveryMode, ExtensionPin

SAMPLE_EXTENSION = ExtensionPin(
    publisher="Contoso.Demo", type="Hello", version="1.2.3", mode=DeliveryMode.NATIVE
)
"""Stands on this machine for every extension that is downloaded."""
CUSTOM_SCRIPT = ExtensionPin(
    publisher="Microsoft.Azure.Extensions",
    type="CustomScript",
    version="2.1.10",
    mode=DeliveryMode.NATIVE,
)
"""Stands on Azure for every extension that is downloaded; it does nothing there."""


def require_machines(context: Context, command: str) -> None:
    """Have what machines on this machine need, or say so."""
    if context.settings.cloud != "local":
        return
    if os.geteuid() != 0:
        raise UsageError(
            "machines on this machine need root, for their namespaces", hint=f"sudo {command}"
        )
    ensure_programs((*system_packages.BAKE, *system_packages.PROVE), progress=context.progress)


def extension_wish(pin: ExtensionPin) -> ExtensionWish:
    """The extension of *pin*, as a machine's model asks for it."""
    settings = {"commandToExecute": "true"} if pin.type == "CustomScript" else {}
    return ExtensionWish(
        name=pin.type,
        publisher=pin.publisher,
        type=pin.type,
        version=".".join(pin.version.split(".")[:2]),
        settings=settings,
    )
