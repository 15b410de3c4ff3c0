"""Virtual machines: made from a gallery version, looked at, and taken away with what they had."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagebake.cloud.answers import NotFound
from imagebake.cloud.clients import Clients
from imagebake.errors import CloudError
from imagebake.model.machine import (
    READY,
    ExtensionWish,
    HandlerView,
    MachineView,
    MachineWish,
)

_OFF = ("stopped", "deallocated")


@dataclass(frozen=True, slots=True)
class Machines:
    """The machines of the endpoint's resource group."""

    clients: Clients

    def create(self, wish: MachineWish) -> str:
        """Make a machine and wait until it is provisioned, or `CloudError`; return its id.

        A machine that failed is still there.
        """
        machines = self.clients.compute.virtual_machines
        body = machine_body(wish, self.clients.endpoint.location)
        made = self.clients.ask(
            f"create machine {wish.name!r}",
            machines.begin_create_or_update,
            self._group,
            wish.name,
            body,
        )
        return str(made["id"])

    def extend(self, machine: str, wish: ExtensionWish) -> None:
        """Put an extension into a machine's model and wait until it is in place."""
        extensions = self.clients.compute.virtual_machine_extensions
        self.clients.ask(
            f"put extension {wish.name!r} on machine {machine!r}",
            extensions.begin_create_or_update,
            self._group,
            machine,
            wish.name,
            extension_body(wish, self.clients.endpoint.location),
        )

    def view(self, machine: str) -> MachineView:
        """What the machine's agent said last."""
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

    def stopped(self, tag: str) -> tuple[str, ...]:
        """The machines with *tag* that are not running."""
        machines = self.clients.compute.virtual_machines
        found = self.clients.ask("list machines", machines.list, self._group)
        tagged = [str(one["name"]) for one in found if tag in (one.get("tags") or {})]
        return tuple(name for name in tagged if self.view(name).power in _OFF)

    def delete(self, machine: str) -> None:
        """Delete a machine, its disk and its network interface; none is as good."""
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


def machine_body(wish: MachineWish, location: str) -> dict[str, Any]:
    """The ARM body of a machine that takes everything it had along when it is deleted."""
    key_path = f"/home/{wish.user}/.ssh/authorized_keys"
    network = {
        "name": f"{wish.name}-nic",
        "properties": {
            "primary": True,
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
        "properties": {
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


def extension_body(wish: ExtensionWish, location: str) -> dict[str, Any]:
    """The ARM body of an extension, whose version must not move."""
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
    """The instance view in our words."""
    agent = document.get("vmAgent") or {}
    status: dict[str, Any] = next(iter(agent.get("statuses") or ()), {})
    codes = [str(one.get("code", "")) for one in document.get("statuses") or ()]
    power = next((code for code in codes if code.startswith("PowerState/")), "")
    return MachineView(
        power=power.removeprefix("PowerState/"),
        agent_version=str(agent.get("vmAgentVersion") or ""),
        agent_ready=status.get("displayStatus") == READY,
        agent_message=str(status.get("message") or ""),
        handlers=tuple(_handler(one) for one in agent.get("extensionHandlers") or ()),
    )


def _handler(document: dict[str, Any]) -> HandlerView:
    status = document.get("status") or {}
    return HandlerView(
        handler=str(document.get("type") or ""),
        version=str(document.get("typeHandlerVersion") or ""),
        ready=status.get("displayStatus") == READY,
        message=str(status.get("message") or ""),
    )
