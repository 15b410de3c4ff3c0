"""Scale sets: Microsoft.Compute/virtualMachineScaleSets, of uniform orchestration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagebake.emulator import etags, operations
from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import change_not_allowed, resource_not_found
from imagebake.emulator.galleries.galleries import delete_reply, store_reply
from imagebake.emulator.listing import (
    list_page,
    location,
    present,
    require_group,
    same_location,
    system_data,
)
from imagebake.emulator.machines import rolling_upgrades, scale_set_instances, scale_set_waits
from imagebake.emulator.machines.scale_set_models import (
    INSTANCE,
    SCALE_SET,
    merged,
    same_kind,
    set_properties,
    sku,
    without_secrets,
)
from imagebake.emulator.machines.scale_set_reconciler import Crew, crew_of
from imagebake.emulator.machines.supervisor import UNSETTLED, Lives
from imagebake.emulator.store import Resource

_PROVIDER = "providers/microsoft.compute/virtualmachinescalesets"
RULE = f"/subscriptions/<subscription>/resourcegroups/<group>/{_PROVIDER}"
ONE = f"{RULE}/<scale_set>"
_INSTANCES = f"{ONE}/virtualmachines"


def scale_set_id(call: Call) -> str:
    """The id of the scale set that the request is about."""
    return f"{call.scope}/providers/{SCALE_SET}/{call.names['scale_set']}"


def find_scale_set(call: Call) -> Resource:
    """The scale set that the request is about, or a 404."""
    found = call.session.find(scale_set_id(call))
    if not found:
        raise resource_not_found(SCALE_SET, call.names["scale_set"], call.names["group"])
    return found


def find_instance(call: Call) -> tuple[Resource, Resource]:
    """The scale set and the instance that the request is about, or a 404."""
    scale_set = find_scale_set(call)
    number = call.names["instance"]
    found = call.session.find(f"{scale_set.id}/virtualMachines/{number}")
    if not found:
        raise resource_not_found(INSTANCE, f"{scale_set.name}/{number}", call.names["group"])
    return scale_set, found


@dataclass(frozen=True, slots=True)
class ScaleSets:
    """The routes that make and move instances."""

    lives: Lives

    def put(self, call: Call) -> Reply:
        """Create a scale set with its instances, or give one another model."""
        require_group(call)
        known, body = call.session.find(scale_set_id(call)), call.document()
        etags.check(call, known)
        place = location(body, SCALE_SET)
        same_location(known, place, call.names["group"])
        scale_set = Resource(
            SCALE_SET,
            {
                "name": known.name if known else call.names["scale_set"],
                "id": known.id if known else scale_set_id(call),
                "type": SCALE_SET,
                "location": place,
                "tags": body.get("tags") or {},
                "sku": sku(body.get("sku")),
                "systemData": system_data(call, known),
            },
            dict(known.private) if known else {"model": 0, "next_instance": 0},
        )
        for name in ("identity", "zones", "plan"):
            if name in body:
                scale_set.body[name] = body[name]
        given = body.get("properties")
        if known and given is None:  # as a client scales: size and place, and not a word more
            given = known.properties
        return self._apply(call, scale_set, known, given or {})

    def patch(self, call: Call) -> Reply:
        """Change what of a scale set a body names, and leave the rest."""
        known, body = find_scale_set(call), call.document()
        etags.check(call, known)
        if "location" in body and location(body, SCALE_SET) != known.body["location"]:
            raise change_not_allowed("location")
        scale_set = Resource(SCALE_SET, dict(known.body), dict(known.private))
        scale_set.body["sku"] = sku(merged(known.body["sku"], body.get("sku") or {}))
        for name in ("tags", "identity", "zones", "plan"):
            if name in body:
                scale_set.body[name] = body[name]
        given = merged(known.properties, body.get("properties") or {})
        return self._apply(call, scale_set, known, given)

    def _apply(
        self, call: Call, scale_set: Resource, known: Resource | None, given: dict[str, Any]
    ) -> Reply:
        """Keep *scale_set* with the properties *given*, and have as many instances."""
        same_kind(known, given)
        properties, secrets = without_secrets(set_properties(given, known))
        scale_set.body["properties"] = properties
        if any(secrets["protected"].values()) or secrets["custom_data"] or not known:
            scale_set.private["secrets"] = secrets
        etags.move(scale_set, known)
        crew = crew_of(call, self.lives)
        is_new_model = not known or _profile(known) != _profile(scale_set)
        if is_new_model:
            rolling_upgrades.require_none(call.session, scale_set)
            scale_set.private["model"] += 1
            scale_set_instances.image_of(call.session, scale_set, call.time)
        made = crew.scale(scale_set)
        if is_new_model:
            made += _follow_model(crew, scale_set)
        return crew.reply(_kept(call, scale_set, known, made))

    def routes(self) -> tuple[Route, ...]:
        """Every route of scale sets and their instances."""
        return (
            Route("PUT", ONE, self.put),
            Route("PATCH", ONE, self.patch),
            Route("GET", ONE, get),
            Route("DELETE", ONE, delete),
            Route("GET", RULE, list_in_group),
            Route("GET", f"/subscriptions/<subscription>/{_PROVIDER}", list_in_subscription),
            Route("GET", f"{ONE}/instanceview", get_instance_view),
            Route("GET", _INSTANCES, list_instances),
            Route("GET", f"{_INSTANCES}/<instance>", get_instance),
            Route("GET", f"{_INSTANCES}/<instance>/instanceview", get_view_of_instance),
            Route("GET", f"{_INSTANCES}/<instance>/extensions", list_extensions),
        )


def _kept(call: Call, scale_set: Resource, known: Resource | None, made: list[Resource]) -> Reply:
    """Keep *scale_set* and answer: at once, or when the machines that really boot have."""
    booting = [one for one in made if one.settles >= UNSETTLED]
    reply = store_reply(call, scale_set, known)
    etag = {"ETag": scale_set.body["etag"]}
    if not booting:
        return Reply(reply.status, reply.body, dict(reply.headers) | etag)
    operation = operations.begin(call.session, scale_set.id, started=call.time, ended=None)
    scale_set.settles = UNSETTLED
    scale_set.private["operation"] = operation
    call.session.put(scale_set)
    scale_set_waits.conclude(call.session, scale_set, operation, booting, time=call.time)
    place = str(scale_set.body["location"])
    headers = operations.headers(call, operations.COMPUTE, place, operation)
    return Reply(reply.status, reply.body, headers | etag)


def _follow_model(crew: Crew, scale_set: Resource) -> list[Resource]:
    """Move the instances to a new model where the policy does so by itself; those that wait."""
    mode = scale_set.properties["upgradePolicy"]["mode"]
    instances = scale_set_instances.instances_of(crew.session, scale_set)
    old = [one for one in instances if not scale_set_instances.has_latest_model(one, scale_set)]
    if old and mode == "Rolling":
        rolling_upgrades.start(
            crew,
            scale_set,
            needs=lambda one, _: not scale_set_instances.has_latest_model(one, scale_set),
        )
    if not old or mode != "Automatic":
        return []
    image = scale_set_instances.image_of(crew.session, scale_set, crew.time)
    for instance in old:
        instance.settling = "Updating"
        crew.renew(instance, scale_set, image)
    return old


def _profile(scale_set: Resource) -> tuple[Any, Any]:
    return scale_set.properties["virtualMachineProfile"], scale_set.body["sku"]["name"]


def get(call: Call) -> Reply:
    """Show one scale set."""
    found = find_scale_set(call)
    return Reply(200, present(found, call), {"ETag": found.body["etag"]})


def list_in_group(call: Call) -> Reply:
    """List the scale sets of a resource group."""
    require_group(call)
    return list_page(call, SCALE_SET, f"{call.scope}/")


def list_in_subscription(call: Call) -> Reply:
    """List the scale sets of a subscription."""
    return list_page(call, SCALE_SET, f"/subscriptions/{call.names['subscription']}/")


def get_instance_view(call: Call) -> Reply:
    """Say how many instances are in which state."""
    scale_set = find_scale_set(call)
    instances = scale_set_instances.instances_of(call.session, scale_set)
    summary = scale_set_instances.states(instances, call.time)
    state = scale_set.provisioning_state(call.time)
    status = {
        "code": f"ProvisioningState/{state.lower()}",
        "level": "Info",
        "displayStatus": f"Provisioning {state.lower()}",
    }
    return Reply(200, {"virtualMachine": {"statusesSummary": summary}, "statuses": [status]})


def get_instance(call: Call) -> Reply:
    """Show one instance."""
    scale_set, instance = find_instance(call)
    return Reply(200, scale_set_instances.shown(instance, scale_set, call))


def get_view_of_instance(call: Call) -> Reply:
    """Show what is known of one instance."""
    _, instance = find_instance(call)
    extensions = scale_set_instances.extensions_on(instance, call.session)
    return Reply(200, scale_set_instances.view(instance, extensions, call.time))


def list_instances(call: Call) -> Reply:
    """List the instances of a scale set."""
    scale_set = find_scale_set(call)
    return list_page(
        call,
        INSTANCE,
        f"{scale_set.id}/virtualMachines/",
        lambda one, asked: scale_set_instances.shown(one, scale_set, asked),
    )


def delete(call: Call) -> Reply:
    """Delete a scale set with its instances; whoever runs one turns it off."""
    require_group(call)
    return delete_reply(call, call.session.find(scale_set_id(call)))


def list_extensions(call: Call) -> Reply:
    """List the extensions of an instance that runs, all on one page."""
    _, instance = find_instance(call)
    extensions = scale_set_instances.extensions_on(instance, call.session)
    return Reply(200, {"value": [present(one, call) for one in extensions]})
