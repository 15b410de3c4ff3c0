"""Scale sets with uniform orchestration: Microsoft.Compute/virtualMachineScaleSets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagebake.emulator import operations, resources
from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import change_not_allowed, resource_not_found
from imagebake.emulator.machines import rolling_upgrades, scale_set_models, scale_set_operations
from imagebake.emulator.machines.scale_set_models import (
    INSTANCE,
    SCALE_SET,
    merge_patch,
    refuse_immutable_changes,
    set_properties,
    sku,
    without_secrets,
)
from imagebake.emulator.machines.scale_set_reconciler import VmssReconciler, reconciler_of
from imagebake.emulator.machines.supervisor import UNSETTLED, VmSupervisor
from imagebake.emulator.operations import accept_delete, accept_write
from imagebake.emulator.resources import (
    list_page,
    location,
    present,
    require_group,
    require_same_location,
    system_data,
)
from imagebake.emulator.store import Resource

_PROVIDER = "providers/microsoft.compute/virtualmachinescalesets"
SCALE_SETS_RULE = f"/subscriptions/<subscription>/resourcegroups/<group>/{_PROVIDER}"
SCALE_SET_RULE = f"{SCALE_SETS_RULE}/<scale_set>"
_INSTANCES = f"{SCALE_SET_RULE}/virtualmachines"


def scale_set_id(call: Call) -> str:
    """Return the id of the scale set that the request addresses."""
    return f"{call.scope}/providers/{SCALE_SET}/{call.names['scale_set']}"


def find_scale_set(call: Call) -> Resource:
    """Return the addressed scale set; 404 `ResourceNotFound` if it does not exist."""
    found = call.session.find(scale_set_id(call))
    if not found:
        raise resource_not_found(SCALE_SET, call.names["scale_set"], call.names["group"])
    return found


def find_instance(call: Call) -> tuple[Resource, Resource]:
    """Return the addressed scale set and instance; 404 if either does not exist."""
    scale_set = find_scale_set(call)
    number = call.names["instance"]
    found = call.session.find(f"{scale_set.id}/virtualMachines/{number}")
    if not found:
        raise resource_not_found(INSTANCE, f"{scale_set.name}/{number}", call.names["group"])
    return scale_set, found


@dataclass(frozen=True, slots=True)
class ScaleSetRoutes:
    """Routes of scale sets and their instances."""

    supervisor: VmSupervisor

    def put(self, call: Call) -> Reply:
        """Create a scale set with its instances, or replace the model of an existing one."""
        require_group(call)
        known, body = call.session.find(scale_set_id(call)), call.document()
        resources.check_etag(call, known)
        place = location(body, SCALE_SET)
        require_same_location(known, place, call.names["group"])
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
        if known and given is None:  # `az vmss scale` sends only sku and location
            given = known.properties
        return self._apply(call, scale_set, known, given or {})

    def patch(self, call: Call) -> Reply:
        """Update the properties that the body names; the others stay."""
        known, body = find_scale_set(call), call.document()
        resources.check_etag(call, known)
        if "location" in body and location(body, SCALE_SET) != known.body["location"]:
            raise change_not_allowed("location")
        scale_set = Resource(SCALE_SET, dict(known.body), dict(known.private))
        scale_set.body["sku"] = sku(merge_patch(known.body["sku"], body.get("sku") or {}))
        for name in ("tags", "identity", "zones", "plan"):
            if name in body:
                scale_set.body[name] = body[name]
        given = merge_patch(known.properties, body.get("properties") or {})
        return self._apply(call, scale_set, known, given)

    def _apply(
        self, call: Call, scale_set: Resource, known: Resource | None, given: dict[str, Any]
    ) -> Reply:
        """Store *scale_set* with the *given* properties and reconcile its instances."""
        refuse_immutable_changes(known, given)
        properties, secrets = without_secrets(set_properties(given, known))
        scale_set.body["properties"] = properties
        # A GET omits the secrets, so a body built from it must not delete them.
        if any(secrets["protected"].values()) or secrets["custom_data"] or not known:
            scale_set.private["secrets"] = secrets
        resources.advance_etag(scale_set, known)
        reconciler = reconciler_of(call, self.supervisor)
        is_new_model = not known or _profile(known) != _profile(scale_set)
        # A change of capacity or tags is no new model: instances keep latestModelApplied.
        if is_new_model:
            rolling_upgrades.require_none(call.session, scale_set)
            scale_set.private["model"] += 1
            scale_set_models.image_of(call.session, scale_set, call.time)
        settling = reconciler.scale(scale_set)
        if is_new_model:
            settling += _apply_upgrade_policy(reconciler, scale_set)
        return reconciler.reply(_store_and_reply(call, scale_set, known, settling))

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of scale sets and their instances."""
        return (
            Route("PUT", SCALE_SET_RULE, self.put),
            Route("PATCH", SCALE_SET_RULE, self.patch),
            Route("GET", SCALE_SET_RULE, get),
            Route("DELETE", SCALE_SET_RULE, delete),
            Route("GET", SCALE_SETS_RULE, list_in_group),
            Route("GET", f"/subscriptions/<subscription>/{_PROVIDER}", list_in_subscription),
            Route("GET", f"{SCALE_SET_RULE}/instanceview", get_instance_view),
            Route("GET", _INSTANCES, list_instances),
            Route("GET", f"{_INSTANCES}/<instance>", get_instance),
            Route("GET", f"{_INSTANCES}/<instance>/instanceview", get_view_of_instance),
            Route("GET", f"{_INSTANCES}/<instance>/extensions", list_extensions),
        )


def _store_and_reply(
    call: Call, scale_set: Resource, known: Resource | None, settling: list[Resource]
) -> Reply:
    """Store *scale_set* and reply: 200 or 201, with an operation if instances have to boot."""
    booting = [instance for instance in settling if instance.settles >= UNSETTLED]
    reply = accept_write(call, scale_set, known)
    etag = {"ETag": scale_set.body["etag"]}
    if not booting:
        return Reply(reply.status, reply.body, dict(reply.headers) | etag)
    operation = operations.begin(call.session, scale_set.id, started=call.time, ended=None)
    scale_set.settles = UNSETTLED
    scale_set.private["operation"] = operation
    call.session.put(scale_set)
    scale_set_operations.end_when_settled(
        call.session, scale_set, operation, booting, time=call.time
    )
    place = str(scale_set.body["location"])
    headers = operations.headers(call, operations.COMPUTE, place, operation)
    return Reply(reply.status, reply.body, headers | etag)


def _apply_upgrade_policy(reconciler: VmssReconciler, scale_set: Resource) -> list[Resource]:
    """Apply a new model as `upgradePolicy.mode` prescribes; return the instances upgraded.

    `Automatic` upgrades all at once, `Rolling` in batches, `Manual` leaves the instances alone.
    """
    mode = scale_set.properties["upgradePolicy"]["mode"]
    instances = scale_set_models.instances_of(reconciler.session, scale_set)
    outdated = [
        instance
        for instance in instances
        if not scale_set_models.has_latest_model(instance, scale_set)
    ]
    if outdated and mode == "Rolling":
        rolling_upgrades.start(
            reconciler,
            scale_set,
            needs=lambda instance, _: not scale_set_models.has_latest_model(instance, scale_set),
        )
    if not outdated or mode != "Automatic":
        return []
    image = scale_set_models.image_of(reconciler.session, scale_set, reconciler.time)
    for instance in outdated:
        instance.settling = "Updating"
        reconciler.apply_latest_model(instance, scale_set, image)
    return outdated


def _profile(scale_set: Resource) -> tuple[Any, Any]:
    return scale_set.properties["virtualMachineProfile"], scale_set.body["sku"]["name"]


def get(call: Call) -> Reply:
    """GET a scale set."""
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
    """Return the scale set's instance view: the number of instances per state."""
    scale_set = find_scale_set(call)
    instances = scale_set_models.instances_of(call.session, scale_set)
    summary = scale_set_models.state_counts(instances, call.time)
    state = scale_set.provisioning_state(call.time)
    status = {
        "code": f"ProvisioningState/{state.lower()}",
        "level": "Info",
        "displayStatus": f"Provisioning {state.lower()}",
    }
    return Reply(200, {"virtualMachine": {"statusesSummary": summary}, "statuses": [status]})


def get_instance(call: Call) -> Reply:
    """GET an instance."""
    scale_set, instance = find_instance(call)
    return Reply(200, scale_set_models.instance_shown(instance, scale_set, call))


def get_view_of_instance(call: Call) -> Reply:
    """GET an instance's instance view."""
    _, instance = find_instance(call)
    extensions = scale_set_models.extensions_on(instance, call.session)
    return Reply(200, scale_set_models.instance_status_view(instance, extensions, call.time))


def list_instances(call: Call) -> Reply:
    """List the instances of a scale set."""
    scale_set = find_scale_set(call)
    return list_page(
        call,
        INSTANCE,
        f"{scale_set.id}/virtualMachines/",
        lambda instance, request: scale_set_models.instance_shown(instance, scale_set, request),
    )


def delete(call: Call) -> Reply:
    """Delete a scale set and its instances; the processes that run them power them off."""
    require_group(call)
    return accept_delete(call, call.session.find(scale_set_id(call)))


def list_extensions(call: Call) -> Reply:
    """List the extensions of an instance that boots; Compute does not page them."""
    _, instance = find_instance(call)
    extensions = scale_set_models.extensions_on(instance, call.session)
    return Reply(200, {"value": [present(extension, call) for extension in extensions]})
