"""Virtual machines and their extensions: Microsoft.Compute/virtualMachines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagebake.emulator import etags, operations
from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import (
    ArmError,
    change_not_allowed,
    parent_not_found,
    resource_not_found,
)
from imagebake.emulator.galleries.galleries import delete_reply, store_reply
from imagebake.emulator.listing import (
    list_page,
    location,
    present,
    require_group,
    same_location,
    system_data,
)
from imagebake.emulator.machines.host import EXTENSION
from imagebake.emulator.machines.models import (
    extension_properties,
    find_image_version,
    image_record,
    machine_identity,
    machine_properties,
)
from imagebake.emulator.machines.supervisor import MACHINE, UNSETTLED, Lives
from imagebake.emulator.machines.views import instance_view
from imagebake.emulator.store import Resource, Session

_GROUP = "/subscriptions/<subscription>/resourcegroups/<group>/providers/microsoft.compute"
_RULE = f"{_GROUP}/virtualmachines"
_ONE = f"{_RULE}/<machine>"


def machine_id(call: Call) -> str:
    """The id of the machine that the request is about."""
    return f"{call.scope}/providers/{MACHINE}/{call.names['machine']}"


def find_machine(call: Call) -> Resource:
    """The machine that the request is about, or a 404."""
    found = call.session.find(machine_id(call))
    if not found:
        raise resource_not_found(MACHINE, call.names["machine"], call.names["group"])
    return found


def find_extension(call: Call) -> Resource:
    """The extension that the request is about, or a 404."""
    found = call.session.find(f"{machine_id(call)}/extensions/{call.names['extension']}")
    if not found:
        names = f"{call.names['machine']}/{call.names['extension']}"
        raise resource_not_found(EXTENSION, names, call.names["group"])
    return found


def shown(machine: Resource, call: Call) -> dict[str, Any]:
    """The machine as a client sees it, with its extensions, and what runs where it asked."""
    body = present(machine, call)
    extensions = extensions_of(machine, call.session)
    if extensions:
        body["resources"] = [present(one, call) for one in extensions]
    if call.query.get("$expand", "").lower() == "instanceview":
        body["properties"]["instanceView"] = instance_view(machine, extensions, call.time)
    return body


def extensions_of(machine: Resource, session: Session) -> list[Resource]:
    """The extensions in the machine's model."""
    return session.list(EXTENSION, f"{machine.key}/extensions/")


def get(call: Call) -> Reply:
    """Show one machine."""
    return Reply(200, shown(find_machine(call), call))


def get_instance_view(call: Call) -> Reply:
    """Show what runs on a machine."""
    machine = find_machine(call)
    return Reply(200, instance_view(machine, extensions_of(machine, call.session), call.time))


def list_in_group(call: Call) -> Reply:
    """List the machines of a resource group."""
    require_group(call)
    return list_page(call, MACHINE, f"{call.scope}/", shown)


def list_in_subscription(call: Call) -> Reply:
    """List the machines of a subscription."""
    return list_page(call, MACHINE, f"/subscriptions/{call.names['subscription']}/", shown)


def get_extension(call: Call) -> Reply:
    """Show one extension."""
    return Reply(200, present(find_extension(call), call))


def list_extensions(call: Call) -> Reply:
    """List a machine's extensions, all on one page."""
    extensions = extensions_of(find_machine(call), call.session)
    return Reply(200, {"value": [present(one, call) for one in extensions]})


@dataclass(frozen=True, slots=True)
class Machines:
    """The routes that start and stop something."""

    lives: Lives

    def put(self, call: Call) -> Reply:
        """Create a machine, which boots; or change the tags of one."""
        require_group(call)
        body = call.document()
        place, known = location(body, MACHINE), call.session.find(machine_id(call))
        etags.check(call, known)
        same_location(known, place, call.names["group"])
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
        etags.move(machine)
        if self.lives.host is None:
            machine.private["power"] = "running"
            return store_reply(call, machine, None)
        start = self.lives.begin(machine, image_record(version, call.session))
        return _until_it_is_decided(call, machine, None, start)

    def patch(self, call: Call) -> Reply:
        """Change the tags of a machine."""
        machine = find_machine(call)
        etags.check(call, machine)
        return _update(call, machine, call.document())

    def delete(self, call: Call) -> Reply:
        """Turn a machine off and forget it."""
        require_group(call)
        machine = call.session.find(machine_id(call))
        if not machine or not self.lives.runs(machine):
            return delete_reply(call, machine)
        if machine.settling == "Deleting":
            operation = machine.private["deletion"]
        else:
            operation = operations.begin(call.session, machine.id, started=call.time, ended=None)
        machine.settling, machine.settles = "Deleting", UNSETTLED
        machine.private["deletion"] = operation
        call.session.put(machine)
        headers = operations.with_location(
            call, operations.COMPUTE, machine.body["location"], operation
        )
        return Reply(202, None, headers, lambda: self.lives.knock(machine.key))

    def put_extension(self, call: Call) -> Reply:
        """Put an extension into a machine's model, which its agent hears of."""
        machine = call.session.find(machine_id(call))
        if not machine:
            raise parent_not_found(call.names["machine"])
        if not self.lives.runs(machine) or machine.settling == "Deleting":
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
        return _until_it_is_decided(call, extension, known, lambda: self.lives.knock(machine.key))

    def delete_extension(self, call: Call) -> Reply:
        """Take an extension out of a machine's model."""
        extension = call.session.find(f"{machine_id(call)}/extensions/{call.names['extension']}")
        reply = delete_reply(call, extension)
        key = machine_id(call).lower()
        return Reply(reply.status, reply.body, reply.headers, lambda: self.lives.knock(key))

    def routes(self) -> tuple[Route, ...]:
        """Every route of machines and extensions."""
        extension = f"{_ONE}/extensions/<extension>"
        return (
            Route("PUT", _ONE, self.put),
            Route("PATCH", _ONE, self.patch),
            Route("GET", _ONE, get),
            Route("GET", f"{_ONE}/instanceview", get_instance_view),
            Route("DELETE", _ONE, self.delete),
            Route("GET", _RULE, list_in_group),
            Route(
                "GET",
                "/subscriptions/<subscription>/providers/microsoft.compute/virtualmachines",
                list_in_subscription,
            ),
            Route("PUT", extension, self.put_extension),
            Route("GET", extension, get_extension),
            Route("DELETE", extension, self.delete_extension),
            Route("GET", f"{_ONE}/extensions", list_extensions),
        )


def _update(call: Call, machine: Resource, body: dict[str, Any]) -> Reply:
    given = body.get("properties") or {}
    told = ((given.get("storageProfile") or {}).get("imageReference") or {}).get("id")
    known = machine.properties["storageProfile"]["imageReference"]["id"]
    if told and str(told).lower() != str(known).lower():
        raise change_not_allowed("imageReference")
    if call.method == "PUT" or "tags" in body:
        machine.body["tags"] = body.get("tags") or {}
    etags.move(machine)
    return store_reply(call, machine, machine)


def _until_it_is_decided(
    call: Call,
    resource: Resource,
    known: Resource | None,
    then: Any,  # noqa: ANN401 - a callback
) -> Reply:
    """Keep *resource* and begin the operation that whoever runs the machine will end."""
    operation = operations.begin(call.session, resource.id, started=call.time, ended=None)
    resource.settling = "Updating" if known else "Creating"
    resource.settles = UNSETTLED
    resource.private.update(operation=operation, began=call.time)
    call.session.put(resource)
    headers = operations.headers(call, operations.COMPUTE, resource.body["location"], operation)
    return Reply(200 if known else 201, present(resource, call), headers, then)
