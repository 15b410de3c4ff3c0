"""Machines and their extensions, as drills and heartbeats make them."""

from __future__ import annotations

import os

from imagebake.azure.model.machine import ExtensionRequest
from imagebake.kernel.context import Context, ensure_programs
from imagebake.kernel.errors import UsageError
from imagebake.kernel.host import system_packages
from imagebake.spec.model.pins import DeliveryMode, ExtensionPin

SAMPLE_EXTENSION = ExtensionPin(
    publisher="Contoso.Demo", type="Hello", version="1.2.3", mode=DeliveryMode.NATIVE
)
"""Extension of the local extension store, used where a spec has none to download."""
CUSTOM_SCRIPT = ExtensionPin(
    publisher="Microsoft.Azure.Extensions",
    type="CustomScript",
    version="2.1.10",
    mode=DeliveryMode.NATIVE,
)
"""Extension used in Azure where a spec has none to download; it runs `true`."""


def prepare_local_machines(context: Context, command: str) -> None:
    """Install what virtual machines of the emulator need; raises `UsageError` without root."""
    if context.settings.cloud != "local":
        return
    if os.geteuid() != 0:
        raise UsageError(
            "machines on this machine need root, for their namespaces", hint=f"sudo {command}"
        )
    ensure_programs((*system_packages.BAKE, *system_packages.PROVE), progress=context.progress)


def extension_request(pin: ExtensionPin) -> ExtensionRequest:
    """Return the extension of *pin* as the model of a virtual machine asks for it."""
    settings = {"commandToExecute": "true"} if pin.type == "CustomScript" else {}
    return ExtensionRequest(
        name=pin.type,
        publisher=pin.publisher,
        type=pin.type,
        version=".".join(pin.version.split(".")[:2]),
        settings=settings,
    )
