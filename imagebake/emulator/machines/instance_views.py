"""Instance views, and the errors of provisioning, from a VM's last report."""

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
_READINESS = {
    True: ("ProvisioningState/succeeded", "Ready"),
    False: ("ProvisioningState/failed", "Not Ready"),
}


def report_to_json(report: MachineReport) -> dict[str, Any]:
    """Serialise the report for the store."""
    return {**asdict(report), "time": stamp(report.time)}


def report_of_json(document: Mapping[str, Any] | None) -> MachineReport | None:
    """Parse a stored report; None if there is none."""
    if document is None:
        return None
    handlers = tuple(HandlerReport(**handler) for handler in document["handlers"])
    time = dt.datetime.fromisoformat(document["time"])
    return MachineReport(**{**document, "time": time, "handlers": handlers})


def instance_view(machine: Resource, extensions: Iterable[Resource], now: float) -> dict[str, Any]:
    """Render the instance view of *machine* from its agent's last report."""
    report = report_of_json(machine.private.get("report"))
    profile = machine.properties["osProfile"]
    view: dict[str, Any] = {
        "computerName": profile["computerName"],
        "hyperVGeneration": "V2",
        "vmAgent": _agent(report),
        "extensions": [_extension(extension, report, now) for extension in extensions],
        "statuses": [
            _provisioning(machine, now),
            _status(f"PowerState/{machine.private['power']}", f"VM {machine.private['power']}"),
        ],
    }
    return view


def provisioning_error(
    machine: Resource, report: MachineReport | None, *, overdue: bool
) -> Error | None:
    """Return why OS provisioning failed; None if it succeeded or may still succeed."""
    provisioning = report.provisioning if report else None
    if provisioning == READY:
        return None
    if provisioning:
        reason = provisioning.partition(": ")[2] or provisioning
        return _error(
            "OSProvisioningInternalError",
            f"OS Provisioning failed for VM '{machine.name}' due to an internal error: {reason}",
        )
    if not overdue:
        return None
    return _error(
        "OSProvisioningTimedOut",
        f"OS Provisioning for VM '{machine.name}' did not finish in the allotted time. The VM may"
        " still finish provisioning successfully. Please check provisioning state later. For"
        " details on how to check current provisioning state of Linux VMs, refer to"
        " https://aka.ms/LinuxVMLifecycle.",
    )


def extension_done(extension: Resource, report: MachineReport | None) -> bool:
    """Return whether agent and handler both report that *extension* is provisioned."""
    handler = report.handler(handler_of(extension)) if report else None
    return (
        handler is not None and handler.status == READY and handler.extension in (None, "success")
    )


def extension_error(
    extension: Resource, machine: str, report: MachineReport | None, *, overdue: bool
) -> Error | None:
    """Return why *extension* failed; None if it has not failed."""
    handler = report.handler(handler_of(extension)) if report else None
    # Documented codes; the texts are from public issues.
    if handler and handler.extension == "error":
        return _error(
            "VMExtensionProvisioningError",
            f"VM has reported a failure when processing extension '{extension.name}'"
            f" ({_whose(extension)}). Error message: '{handler.extension_message}'. More"
            f" information on troubleshooting is available at {_TROUBLESHOOT}.",
        )
    if handler and handler.status == "NotReady" and handler.code:
        return _error(
            "VMExtensionHandlerNonTransientError",
            f"The handler for VM extension type '{handler_of(extension)}' has reported terminal"
            f" failure for VM extension '{extension.name}' with error message:"
            f" '{handler.message}'. More information on troubleshooting is available at"
            f" {_TROUBLESHOOT}.",
        )
    return _timeout_error(extension, machine, report, handler) if overdue else None


def _timeout_error(
    extension: Resource, machine: str, report: MachineReport | None, handler: HandlerReport | None
) -> Error:
    if report is None or not report.agent_status:
        return _error(
            "VMAgentStatusCommunicationError",
            f"VM '{machine}' has not reported status for VM agent or extensions. Verify that the"
            " OS is up and healthy, the VM has a running VM agent, and that it can establish"
            f" outbound connections to Azure storage. Please refer to {_TROUBLESHOOT} for"
            " additional VM agent troubleshooting information.",
        )
    last = (
        (handler.extension_message or handler.message or handler.status)
        if handler
        else "Not reported"
    )
    return _error(
        "VMExtensionProvisioningTimeout",
        f"Provisioning of VM extension {extension.name} has timed out. Extension provisioning has"
        f' taken too long to complete. The extension last reported "{last}". More information on'
        f" troubleshooting is available at {_TROUBLESHOOT}.",
    )


def handler_of(extension: Resource) -> str:
    """Return the handler's full name, `Publisher.Type`, as the agent reports it."""
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
        # Documented: the error code is the third part of the status code.
        code = f"ProvisioningState/failed/{error['code']}"
        return _status(code, "Provisioning failed", error["message"], "Error")
    return _status(f"ProvisioningState/{state}", f"Provisioning {state}")


def _agent(report: MachineReport | None) -> dict[str, Any]:
    if report is None or not report.agent_status:
        # Documented: what Azure shows until the agent's first report.
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
                "type": handler.handler,
                "typeHandlerVersion": handler.version,
                "status": _status(*_READINESS[handler.status == READY], handler.message),
            }
            for handler in report.handlers
        ],
    }


def _extension(extension: Resource, report: MachineReport | None, now: float) -> dict[str, Any]:
    handler = report.handler(handler_of(extension)) if report else None
    state = extension.provisioning_state(now).lower()
    message = (handler.extension_message or handler.message) if handler else ""
    level = "Error" if state == "failed" else "Info"
    return {
        "name": extension.name,
        "type": handler_of(extension),
        "typeHandlerVersion": handler.version if handler else "",
        "statuses": [
            _status(f"ProvisioningState/{state}", f"Provisioning {state}", message, level)
        ],
    }
