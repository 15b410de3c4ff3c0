"""What a machine reported, as Compute's instance view shows it, and as what ends operations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from imagebake.emulator.calls import stamp
from imagebake.emulator.machines.host import READY, HandlerReport, MachineReport
from imagebake.emulator.store import Resource

_TROUBLESHOOT = "https://aka.ms/vmextensionlinuxtroubleshoot"
Error = Mapping[str, str]


def report_to_json(report: MachineReport) -> dict[str, Any]:
    """The report as the store keeps it."""
    return {**asdict(report), "time": stamp(report.time)}


def report_of_json(document: Mapping[str, Any] | None) -> MachineReport | None:
    """The report that was kept, if one was."""
    if document is None:
        return None
    handlers = tuple(HandlerReport(**one) for one in document["handlers"])
    time = dt.datetime.fromisoformat(document["time"])
    return MachineReport(**{**document, "time": time, "handlers": handlers})


def instance_view(machine: Resource, extensions: Iterable[Resource], now: float) -> dict[str, Any]:
    """The instance view of *machine*: its agent's last words, nothing of our own."""
    report = report_of_json(machine.private.get("report"))
    profile = machine.properties["osProfile"]
    view: dict[str, Any] = {
        "computerName": profile["computerName"],
        "hyperVGeneration": "V2",
        "vmAgent": _agent(report),
        "extensions": [_extension(one, report, now) for one in extensions],
        "statuses": [
            _provisioning(machine, now),
            _status(f"PowerState/{machine.private['power']}", f"VM {machine.private['power']}"),
        ],
    }
    return view


def os_trouble(machine: Resource, report: MachineReport | None, *, late: bool) -> Error | None:
    """Why the operating system was not provisioned; None when it was, or still may be."""
    provisioning = report.provisioning if report else None
    if provisioning == READY:
        return None
    if provisioning:
        why = provisioning.partition(": ")[2] or provisioning
        return _error(
            "OSProvisioningInternalError",
            f"OS Provisioning failed for VM '{machine.name}' due to an internal error: {why}",
        )
    if not late:
        return None
    return _error(
        "OSProvisioningTimedOut",
        f"OS Provisioning for VM '{machine.name}' did not finish in the allotted time. The VM may"
        " still finish provisioning successfully. Please check provisioning state later. For"
        " details on how to check current provisioning state of Linux VMs, refer to"
        " https://aka.ms/LinuxVMLifecycle.",
    )


def extension_done(extension: Resource, report: MachineReport | None) -> bool:
    """Whether the agent and the handler both say that *extension* is in place."""
    told = report.handler(handler_of(extension)) if report else None
    return told is not None and told.status == READY and told.extension in (None, "success")


def extension_trouble(
    extension: Resource, machine: str, report: MachineReport | None, *, late: bool
) -> Error | None:
    """Why *extension* failed; None when it has not, or not yet."""
    told = report.handler(handler_of(extension)) if report else None
    if told and told.extension == "error":
        return _error(
            "VMExtensionProvisioningError",
            f"VM has reported a failure when processing extension '{extension.name}'"
            f" ({_whose(extension)}). Error message: '{told.extension_message}'. More"
            f" information on troubleshooting is available at {_TROUBLESHOOT}.",
        )
    if told and told.status == "NotReady" and told.code:
        return _error(
            "VMExtensionHandlerNonTransientError",
            f"The handler for VM extension type '{handler_of(extension)}' has reported terminal"
            f" failure for VM extension '{extension.name}' with error message:"
            f" '{told.message}'. More information on troubleshooting is available at"
            f" {_TROUBLESHOOT}.",
        )
    return _late(extension, machine, report, told) if late else None


def _late(
    extension: Resource, machine: str, report: MachineReport | None, told: HandlerReport | None
) -> Error:
    if report is None or not report.agent_status:
        return _error(
            "VMAgentStatusCommunicationError",
            f"VM '{machine}' has not reported status for VM agent or extensions. Verify that the"
            " OS is up and healthy, the VM has a running VM agent, and that it can establish"
            f" outbound connections to Azure storage. Please refer to {_TROUBLESHOOT} for"
            " additional VM agent troubleshooting information.",
        )
    last = (told.extension_message or told.message or told.status) if told else "Not reported"
    return _error(
        "VMExtensionProvisioningTimeout",
        f"Provisioning of VM extension {extension.name} has timed out. Extension provisioning has"
        f' taken too long to complete. The extension last reported "{last}". More information on'
        f" troubleshooting is available at {_TROUBLESHOOT}.",
    )


def handler_of(extension: Resource) -> str:
    """The handler's full name, as the agent reports it."""
    properties = extension.properties
    return f"{properties['publisher']}.{properties['type']}"


def _whose(extension: Resource) -> str:
    properties = extension.properties
    return f"publisher '{properties['publisher']}' and type '{properties['type']}'"


def _error(code: str, message: str) -> Error:
    return {"code": code, "message": message}


def _status(code: str, shown: str, message: str = "", level: str = "Info") -> dict[str, str]:
    status = {"code": code, "level": level, "displayStatus": shown}
    return status | ({"message": message} if message else {})


def _provisioning(machine: Resource, now: float) -> dict[str, str]:
    state = machine.provisioning_state(now).lower()
    if error := machine.private.get("error"):
        code = f"ProvisioningState/failed/{error['code']}"
        return _status(code, "Provisioning failed", error["message"], "Error")
    return _status(f"ProvisioningState/{state}", f"Provisioning {state}")


def _agent(report: MachineReport | None) -> dict[str, Any]:
    if report is None or not report.agent_status:
        waiting = _status(
            "ProvisioningState/Unavailable",
            "Not Ready",
            "VM status blob is found but not yet populated.",
            "Warning",
        )
        return {"vmAgentVersion": "Unknown", "statuses": [waiting], "extensionHandlers": []}
    ready = report.agent_status == READY
    return {
        "vmAgentVersion": report.agent_version,
        "statuses": [
            _status(*_READINESS[ready], report.agent_message) | {"time": stamp(report.time)}
        ],
        "extensionHandlers": [
            {
                "type": told.handler,
                "typeHandlerVersion": told.version,
                "status": _status(*_READINESS[told.status == READY], told.message),
            }
            for told in report.handlers
        ],
    }


_READINESS = {
    True: ("ProvisioningState/succeeded", "Ready"),
    False: ("ProvisioningState/failed", "Not Ready"),
}


def _extension(extension: Resource, report: MachineReport | None, now: float) -> dict[str, Any]:
    told = report.handler(handler_of(extension)) if report else None
    state = extension.provisioning_state(now).lower()
    message = (told.extension_message or told.message) if told else ""
    level = "Error" if state == "failed" else "Info"
    return {
        "name": extension.name,
        "type": handler_of(extension),
        "typeHandlerVersion": told.version if told else "",
        "statuses": [
            _status(f"ProvisioningState/{state}", f"Provisioning {state}", message, level)
        ],
    }
