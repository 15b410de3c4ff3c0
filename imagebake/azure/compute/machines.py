"""Virtual machines: created from a gallery version, observed, and deleted with their disks."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import NotFound
from imagebake.azure.client.requests import run_concurrently
from imagebake.azure.compute.scale_sets import handlers
from imagebake.azure.model.gallery import TAG_PROTECTED
from imagebake.azure.model.machine import (
    READY,
    ExtensionRequest,
    HandlerView,
    MachineRequest,
    MachineView,
)
from imagebake.azure.resources.resource_ids import names
from imagebake.kernel.errors import CloudError

Wait = Callable[[float | None], None]
"""Waits for the end of an operation, for at most that many seconds; raises `CloudError`."""
TOO_SLOW = "NotInTime"
_OFF = ("stopped", "deallocated")


@dataclass(frozen=True, slots=True)
class Machines:
    """The virtual machines of the endpoint's resource group."""

    clients: Clients

    def create(self, wish: MachineRequest) -> str:
        """Create a machine, wait until it is provisioned, and return its id.

        Raises `CloudError`; a machine that failed to provision still exists.
        """
        self.order(wish)(None)
        return self.id_of(wish.name)

    def order(self, wish: MachineRequest) -> Wait:
        """Request a machine; once Azure has accepted, return a function that waits for it."""
        machines = self.clients.compute.virtual_machines
        body = machine_body(wish, wish.location or self.clients.endpoint.location)
        doing = f"create machine {wish.name!r}"
        return self._begin(doing, machines.begin_create_or_update, self._group, wish.name, body)

    def id_of(self, machine: str) -> str:
        """Return the id of the machine *machine*."""
        group = self.clients.endpoint.group_id
        return f"{group}/providers/Microsoft.Compute/virtualMachines/{machine}"

    def extend(
        self,
        machine: str,
        wish: ExtensionRequest,
        *,
        location: str = "",
        limit: float | None = None,
    ) -> None:
        """Put an extension on a machine and wait until it is provisioned.

        Azure waits for 90 minutes; *limit*, in seconds, ends the wait earlier.
        """
        extensions = self.clients.compute.virtual_machine_extensions
        wait = self._begin(
            f"put extension {wish.name!r} on machine {machine!r}",
            extensions.begin_create_or_update,
            self._group,
            machine,
            wish.name,
            extension_body(wish, location or self.clients.endpoint.location),
        )
        wait(limit)

    def console(self, machine: str) -> str:
        """Return a machine's serial console log; empty while boot diagnostics have none."""
        machines = self.clients.compute.virtual_machines
        doing = f"read the console of machine {machine!r}"
        try:
            diagnostics = self.clients.ask(
                doing, machines.retrieve_boot_diagnostics_data, self._group, machine
            )
            return self.clients.read(doing, str(diagnostics["serialConsoleLogBlobUri"]))
        except NotFound:
            return ""

    def view(self, machine: str) -> MachineView:
        """Return the machine's instance view: the agent's last report."""
        machines = self.clients.compute.virtual_machines
        doing = f"look at machine {machine!r}"
        return read_view(self.clients.ask(doing, machines.instance_view, self._group, machine))

    def await_agent(self, machine: str, *, limit: float) -> MachineView:
        """Wait until the machine's agent is Ready, for at most *limit* seconds."""
        patience = self.clients.patience
        deadline = patience.clock() + limit
        while not (view := self.view(machine)).agent_ready:
            if patience.clock() >= deadline:
                raise CloudError(
                    f"the agent of machine {machine!r} is not Ready after {limit:.0f} s: "
                    f"{view.agent_message or 'it says nothing'}",
                    code="AgentNotReady",
                )
            patience.sleep(min(2.0, 4 * self.clients.endpoint.polling_seconds))
        return view

    def tagged(self, tag: str) -> dict[str, str]:
        """Return the values of *tag* by machine; machines that are protected are left out."""
        machines = self.clients.compute.virtual_machines
        found = self.clients.ask("list machines", machines.list, self._group)
        return {
            str(machine["name"]): str(machine["tags"][tag])
            for machine in found
            if tag in (tags := machine.get("tags") or {}) and TAG_PROTECTED not in tags
        }

    def stopped(self, tag: str) -> tuple[str, ...]:
        """Return the machines with *tag* that are not running."""
        return tuple(name for name in self.tagged(tag) if self.view(name).power in _OFF)

    def delete(self, machine: str) -> None:
        """Delete a machine, its disk and its network interface, if it exists."""
        machines = self.clients.compute.virtual_machines
        doing = f"delete machine {machine!r}"
        try:
            self.clients.ask(
                doing, machines.begin_delete, self._group, machine, force_deletion=True
            )
        except NotFound:
            return

    @property
    def _group(self) -> str:
        return self.clients.endpoint.resource_group

    def _begin(self, doing: str, call: Callable[..., Any], /, *args: Any) -> Wait:  # noqa: ANN401
        """Begin a long operation; return a function that waits for its end."""
        with self.clients.asking(doing):
            poller = call(*args)

        def wait(limit: float | None) -> None:
            with self.clients.asking(doing):
                poller.wait(limit)
                if limit is None or poller.done():
                    poller.result()
                    return
            raise CloudError(
                f"cannot {doing}: {TOO_SLOW}: it has not ended after {limit:.0f} s", code=TOO_SLOW
            )

        return wait


def machine_body(wish: MachineRequest, location: str) -> dict[str, Any]:
    """Return the ARM body of a machine whose disk and network interface are deleted with it."""
    key_path = f"/home/{wish.user}/.ssh/authorized_keys"
    network = {
        "name": f"{wish.name}-nic",
        "properties": {
            "primary": True,
            # Without it the network interface would outlive the machine, and be paid for.
            "deleteOption": "Delete",
            "ipConfigurations": [
                {
                    "name": "only",
                    "properties": {"primary": True, "subnet": {"id": wish.subnet_id}},
                }
            ],
        },
    }
    return {
        "location": location,
        "tags": dict(wish.tags),
        **({"identity": {"type": "SystemAssigned"}} if wish.identity else {}),
        "properties": {
            **({"diagnosticsProfile": _CONSOLE} if wish.console else {}),
            **({"userData": _encoded(wish.script)} if wish.script else {}),
            "hardwareProfile": {"vmSize": wish.size},
            "storageProfile": {
                "imageReference": {"id": wish.version_id},
                "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"},
            },
            "osProfile": {
                "computerName": wish.name,
                "adminUsername": wish.user,
                "linuxConfiguration": {
                    "disablePasswordAuthentication": True,
                    "provisionVMAgent": True,
                    "ssh": {"publicKeys": [{"path": key_path, "keyData": wish.public_key}]},
                },
            },
            "networkProfile": {
                "networkApiVersion": "2022-11-01",
                "networkInterfaceConfigurations": [network],
            },
        },
    }


_CONSOLE = {"bootDiagnostics": {"enabled": True}}
"""Managed boot diagnostics: kept in a storage account of Azure's own."""


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def extension_body(wish: ExtensionRequest, location: str) -> dict[str, Any]:
    """Return the ARM body of an extension that is not upgraded automatically."""
    return {
        "location": location,
        "properties": {
            "publisher": wish.publisher,
            "type": wish.type,
            "typeHandlerVersion": wish.version,
            "autoUpgradeMinorVersion": False,
            "settings": dict(wish.settings),
        },
    }


def read_view(document: dict[str, Any]) -> MachineView:
    """Parse an instance view."""
    agent = document.get("vmAgent") or {}
    agent_status: dict[str, Any] = next(iter(agent.get("statuses") or ()), {})
    codes = [str(status.get("code", "")) for status in document.get("statuses") or ()]
    power = next((code for code in codes if code.startswith("PowerState/")), "")
    return MachineView(
        power=power.removeprefix("PowerState/"),
        agent_version=str(agent.get("vmAgentVersion") or ""),
        agent_ready=agent_status.get("displayStatus") == READY,
        agent_message=str(agent_status.get("message") or ""),
        handlers=tuple(_handler(handler) for handler in agent.get("extensionHandlers") or ()),
    )


def _handler(document: dict[str, Any]) -> HandlerView:
    status = document.get("status") or {}
    return HandlerView(
        handler=str(document.get("type") or ""),
        version=str(document.get("typeHandlerVersion") or ""),
        ready=status.get("displayStatus") == READY,
        message=str(status.get("message") or ""),
    )


def machine_extensions(
    clients: Clients, machines: Iterable[str]
) -> tuple[dict[str, Mapping[str, str]], tuple[str, ...]]:
    """Return the extensions by machine (ids in lower case), and why some could not be read.

    Each is a mapping from the extension's name to its handler. This takes a request for each
    machine: Azure's lists have only the ids of extensions.
    """
    wanted = list(machines)
    answers = run_concurrently(functools.partial(_of, clients, machine) for machine in wanted)
    found = {machine.lower(): answer for machine, answer in zip(wanted, answers, strict=True)}
    unread = tuple(answer for answer in found.values() if isinstance(answer, str))
    read = {machine: answer for machine, answer in found.items() if not isinstance(answer, str)}
    return read, unread


def _of(clients: Clients, machine: str) -> Mapping[str, str] | str:
    """Return the handlers of *machine* by extension, or why they could not be read."""
    place = names(machine, "resourcegroups", "virtualmachines")
    operations = clients.compute.virtual_machine_extensions
    try:
        listed = clients.ask(f"list the extensions of {place[-1]!r}", operations.list, *place)
    except NotFound:
        return {}
    except CloudError as error:
        return f"the extensions of {machine}: {error.azure_message}"
    return handlers({"extensions": listed.get("value") or ()})
