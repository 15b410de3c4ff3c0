"""Virtual machines, their extensions and boot diagnostics: Microsoft.Compute/virtualMachines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.emulator import operations, resources
from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import (
    ArmError,
    change_not_allowed,
    parent_not_found,
    resource_not_found,
)
from imagebake.emulator.machines.host import EXTENSION
from imagebake.emulator.machines.instance_views import instance_view
from imagebake.emulator.machines.supervisor import MACHINE, UNSETTLED, VmSupervisor
from imagebake.emulator.machines.vm_models import (
    extension_properties,
    find_image_version,
    image_record,
    machine_identity,
    machine_properties,
)
from imagebake.emulator.operations import accept_delete, accept_write
from imagebake.emulator.resources import (
    list_page,
    location,
    present,
    require_group,
    require_same_location,
    system_data,
)
from imagebake.emulator.store import Resource, Session

_GROUP = "/subscriptions/<subscription>/resourcegroups/<group>/providers/microsoft.compute"
_RULE = f"{_GROUP}/virtualmachines"
_VM_RULE = f"{_RULE}/<machine>"
_BLOB = "/bootdiagnostics/<owner>/serialconsole.log"


def machine_id(call: Call) -> str:
    """Return the id of the VM that the request addresses."""
    return f"{call.scope}/providers/{MACHINE}/{call.names['machine']}"


def find_machine(call: Call) -> Resource:
    """Return the VM that the request addresses; 404 `ResourceNotFound` if it does not exist."""
    found = call.session.find(machine_id(call))
    if not found:
        raise resource_not_found(MACHINE, call.names["machine"], call.names["group"])
    return found


def find_extension(call: Call) -> Resource:
    """Return the addressed extension; 404 `ResourceNotFound` if it does not exist."""
    found = call.session.find(f"{machine_id(call)}/extensions/{call.names['extension']}")
    if not found:
        names = f"{call.names['machine']}/{call.names['extension']}"
        raise resource_not_found(EXTENSION, names, call.names["group"])
    return found


def shown(machine: Resource, call: Call) -> dict[str, Any]:
    """Render the VM with its extensions, and with `$expand=instanceView` its instance view."""
    body = present(machine, call)
    extensions = extensions_of(machine, call.session)
    if extensions:
        body["resources"] = [present(extension, call) for extension in extensions]
    if call.query.get("$expand", "").lower() == "instanceview":
        body["properties"]["instanceView"] = instance_view(machine, extensions, call.time)
    return body


def extensions_of(machine: Resource, session: Session) -> list[Resource]:
    """Return the extensions in the VM's model."""
    return session.list(EXTENSION, f"{machine.key}/extensions/")


def get(call: Call) -> Reply:
    """GET a VM."""
    return Reply(200, shown(find_machine(call), call))


def get_instance_view(call: Call) -> Reply:
    """GET a VM's instance view."""
    machine = find_machine(call)
    return Reply(200, instance_view(machine, extensions_of(machine, call.session), call.time))


def list_in_group(call: Call) -> Reply:
    """List the VMs of a resource group."""
    require_group(call)
    return list_page(call, MACHINE, f"{call.scope}/", shown)


def list_in_subscription(call: Call) -> Reply:
    """List the VMs of a subscription."""
    return list_page(call, MACHINE, f"/subscriptions/{call.names['subscription']}/", shown)


def get_extension(call: Call) -> Reply:
    """GET an extension."""
    return Reply(200, present(find_extension(call), call))


def list_extensions(call: Call) -> Reply:
    """List a VM's extensions; Compute does not page them."""
    extensions = extensions_of(find_machine(call), call.session)
    return Reply(200, {"value": [present(extension, call) for extension in extensions]})


@dataclass(frozen=True, slots=True)
class VirtualMachineRoutes:
    """Routes of VMs and their extensions."""

    supervisor: VmSupervisor

    def put(self, call: Call) -> Reply:
        """Create a VM and boot it, or update the tags of an existing one."""
        require_group(call)
        body = call.document()
        place, known = location(body, MACHINE), call.session.find(machine_id(call))
        resources.check_etag(call, known)
        require_same_location(known, place, call.names["group"])
        given = body.get("properties") or {}
        if known:
            return _update(call, known, body)
        reference = (given.get("storageProfile") or {}).get("imageReference") or {}
        version = find_image_version(reference, place, call.session, call.time)
        machine = Resource(
            MACHINE,
            {
                "name": call.names["machine"],
                "id": machine_id(call),
                "type": MACHINE,
                "location": place,
                "tags": body.get("tags") or {},
                "systemData": system_data(call, None),
                "properties": machine_properties(given, version),
                **machine_identity(body),
            },
            {
                "custom_data": given["osProfile"].get("customData"),
                "user_data": given.get("userData"),
            },
        )
        resources.advance_etag(machine)
        # Inventory: nothing boots, so the operation ends by the clock.
        if self.supervisor.host is None:
            machine.private["power"] = "running"
            return accept_write(call, machine, None)
        start = self.supervisor.supervise(machine, image_record(version, call.session))
        return _await_supervisor(call, machine, None, start)

    def patch(self, call: Call) -> Reply:
        """Update a VM's tags."""
        machine = find_machine(call)
        resources.check_etag(call, machine)
        return _update(call, machine, call.document())

    def delete(self, call: Call) -> Reply:
        """Power off and delete a VM; 202 until the process that runs it has stopped it."""
        require_group(call)
        machine = call.session.find(machine_id(call))
        if not machine or not self.supervisor.is_running(machine):
            return accept_delete(call, machine)
        if machine.settling == "Deleting":
            # A repeated DELETE follows the operation of the first.
            operation = machine.private["deletion"]
        else:
            operation = operations.begin(call.session, machine.id, started=call.time, ended=None)
        machine.settling, machine.settles = "Deleting", UNSETTLED
        machine.private["deletion"] = operation
        call.session.put(machine)
        headers = operations.with_location(
            call, operations.COMPUTE, machine.body["location"], operation
        )
        return Reply(202, None, headers, lambda: self.supervisor.wake(machine.key))

    def put_extension(self, call: Call) -> Reply:
        """Create or update an extension; 409 `OperationNotAllowed` when the VM is not running."""
        machine = call.session.find(machine_id(call))
        if not machine:
            raise parent_not_found(call.names["machine"])
        if not self.supervisor.is_running(machine) or machine.settling == "Deleting":
            raise ArmError(
                409,
                "OperationNotAllowed",
                "Cannot modify extensions in the VM when the VM is not running.",
            )
        body, name = call.document(), call.names["extension"]
        known = call.session.find(f"{machine.id}/extensions/{name}")
        given = body.get("properties") or {}
        sequence = known.private["sequence"] + 1 if known else 0
        extension = Resource(
            EXTENSION,
            {
                "name": name,
                "id": f"{machine.id}/extensions/{name}",
                "type": EXTENSION,
                "location": machine.body["location"],
                "tags": body.get("tags") or {},
                "properties": extension_properties(given),
            },
            {"protected": given.get("protectedSettings"), "sequence": sequence},
        )
        return _await_supervisor(call, extension, known, lambda: self.supervisor.wake(machine.key))

    def delete_extension(self, call: Call) -> Reply:
        """Delete an extension from the VM's model."""
        extension = call.session.find(f"{machine_id(call)}/extensions/{call.names['extension']}")
        reply = accept_delete(call, extension)
        key = machine_id(call).lower()
        return Reply(reply.status, reply.body, reply.headers, lambda: self.supervisor.wake(key))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of VMs and extensions."""
        extension = f"{_VM_RULE}/extensions/<extension>"
        return (
            Route("PUT", _VM_RULE, self.put),
            Route("PATCH", _VM_RULE, self.patch),
            Route("GET", _VM_RULE, get),
            Route("GET", f"{_VM_RULE}/instanceview", get_instance_view),
            Route("DELETE", _VM_RULE, self.delete),
            Route("GET", _RULE, list_in_group),
            Route(
                "GET",
                "/subscriptions/<subscription>/providers/microsoft.compute/virtualmachines",
                list_in_subscription,
            ),
            Route("PUT", extension, self.put_extension),
            Route("GET", extension, get_extension),
            Route("DELETE", extension, self.delete_extension),
            Route("GET", f"{_VM_RULE}/extensions", list_extensions),
        )


def _update(call: Call, machine: Resource, body: dict[str, Any]) -> Reply:
    given = body.get("properties") or {}
    requested = ((given.get("storageProfile") or {}).get("imageReference") or {}).get("id")
    known = machine.properties["storageProfile"]["imageReference"]["id"]
    # Documented: the image of a VM never changes.
    if requested and str(requested).lower() != str(known).lower():
        raise change_not_allowed("imageReference")
    if call.method == "PUT" or "tags" in body:
        machine.body["tags"] = body.get("tags") or {}
    resources.advance_etag(machine)
    return accept_write(call, machine, machine)


def _await_supervisor(
    call: Call,
    resource: Resource,
    known: Resource | None,
    then: Any,  # noqa: ANN401 - a callback
) -> Reply:
    """Store *resource* with an operation that the supervisor ends."""
    operation = operations.begin(call.session, resource.id, started=call.time, ended=None)
    resource.settling = "Updating" if known else "Creating"
    resource.settles = UNSETTLED
    resource.private.update(operation=operation, began=call.time)
    call.session.put(resource)
    headers = operations.headers(call, operations.COMPUTE, resource.body["location"], operation)
    return Reply(200 if known else 201, present(resource, call), headers, then)


@dataclass(frozen=True, slots=True)
class BootDiagnosticsRoutes:
    """Routes of boot diagnostics: the log's SAS URI, and the log behind it."""

    supervisor: VmSupervisor

    def retrieve_uris(self, call: Call) -> Reply:
        """Return the serial console's URI; 400 if boot diagnostics are not enabled."""
        machine = find_machine(call)
        if not boot_diagnostics_enabled(machine):
            raise ArmError(
                400,
                "BadRequest",
                f"Boot diagnostics is not enabled for VM '{machine.name}'.",
            )
        blob = f"{call.base}/bootdiagnostics/{machine.private.get('owner', 'none')}"
        return Reply(200, {"serialConsoleLogBlobUri": f"{blob}/serialconsole.log?sig=loopback"})

    def log(self, call: Call) -> Reply:
        """Return the serial console so far; 404 unless this process runs the VM."""
        console = self.supervisor.console(call.names["owner"])
        if console is None:
            raise ArmError(404, "BlobNotFound", "The specified blob does not exist.")
        return Reply(200, console)

    def routes(self) -> tuple[Route, ...]:
        """Return both routes."""
        return (
            Route("POST", f"{_VM_RULE}/retrievebootdiagnosticsdata", self.retrieve_uris),
            # Like a SAS URI, the log needs no token: its address contains the VM's random owner
            # id.
            Route("GET", _BLOB, self.log, open=True),
        )


def boot_diagnostics_enabled(machine: Resource) -> bool:
    """Return whether the VM's model enables boot diagnostics."""
    profile: Mapping[str, Any] = machine.properties.get("diagnosticsProfile") or {}
    return bool((profile.get("bootDiagnostics") or {}).get("enabled"))
