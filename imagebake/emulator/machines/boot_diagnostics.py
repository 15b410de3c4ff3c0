"""Boot diagnostics: what a machine prints on its serial console, behind an address of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.machines.machines import find_machine
from imagebake.emulator.machines.supervisor import Lives
from imagebake.emulator.store import Resource

_ONE = (
    "/subscriptions/<subscription>/resourcegroups/<group>/providers/microsoft.compute"
    "/virtualmachines/<machine>"
)
_BLOB = "/bootdiagnostics/<owner>/serialconsole.log"


@dataclass(frozen=True, slots=True)
class BootDiagnostics:
    """The routes; who knows the address that the first gives may read the second."""

    lives: Lives

    def addresses(self, call: Call) -> Reply:
        """Say where the console's log is, for a machine that was made to keep one."""
        machine = find_machine(call)
        if not enabled(machine):
            raise ArmError(
                400,
                "BadRequest",
                f"Boot diagnostics is not enabled for VM '{machine.name}'.",
            )
        blob = f"{call.base}/bootdiagnostics/{machine.private.get('owner', 'none')}"
        return Reply(200, {"serialConsoleLogBlobUri": f"{blob}/serialconsole.log?sig=loopback"})

    def log(self, call: Call) -> Reply:
        """The console's log so far, of a machine that is on and in this process."""
        said = self.lives.console(call.names["owner"])
        if said is None:
            raise ArmError(404, "BlobNotFound", "The specified blob does not exist.")
        return Reply(200, said)

    def routes(self) -> tuple[Route, ...]:
        """Both routes."""
        return (
            Route("POST", f"{_ONE}/retrievebootdiagnosticsdata", self.addresses),
            Route("GET", _BLOB, self.log, open=True),
        )


def enabled(machine: Resource) -> bool:
    """Whether the machine's model asks for boot diagnostics."""
    profile: Mapping[str, Any] = machine.properties.get("diagnosticsProfile") or {}
    return bool((profile.get("bootDiagnostics") or {}).get("enabled"))
