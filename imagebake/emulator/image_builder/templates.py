"""Image templates: Microsoft.VirtualMachineImages/imageTemplates."""

from __future__ import annotations

from typing import Any

from imagebake.emulator import operations
from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError, resource_not_found
from imagebake.emulator.image_builder.distribution import RUN_OUTPUTS
from imagebake.emulator.image_builder.runs import UNDER_WAY, ImageTemplateRuns
from imagebake.emulator.image_builder.staging import make_staging, remove_staging
from imagebake.emulator.image_builder.template_references import (
    ProvisioningFailed,
    validate_references,
)
from imagebake.emulator.image_builder.template_validation import (
    check_distribute,
    check_identity,
    check_name,
    check_properties,
    check_vm_profile,
    read_template,
)
from imagebake.emulator.machines.marketplace import Marketplace
from imagebake.emulator.resources import list_page, location, present, require_group, system_data
from imagebake.emulator.store import Resource

KIND = "Microsoft.VirtualMachineImages/imageTemplates"
_PROVIDER = "microsoft.virtualmachineimages"
_RULE = f"/subscriptions/<subscription>/resourcegroups/<group>/providers/{_PROVIDER}/imagetemplates"
# The message spells the states differently from provisioningState.
_STATE_WORDS = {"Succeeded": "provisioned", "Failed": "failed"}


def _scope(call: Call) -> str:
    """Return the group's id, with `resourcegroups` in lower case as this service writes it."""
    return f"/subscriptions/{call.names['subscription']}/resourcegroups/{call.names['group']}"


def template_id(call: Call) -> str:
    """Return the id of the template that the request addresses."""
    return f"{_scope(call)}/providers/{KIND}/{call.names['template']}"


def find_template(call: Call) -> Resource:
    """Return the addressed template; 404 `ResourceNotFound` if it does not exist."""
    found = call.session.find(template_id(call))
    if not found:
        raise resource_not_found(KIND, call.names["template"], call.names["group"])
    return found


def _not_allowed(action: str, template: Resource, call: Call) -> ArmError:
    state = template.provisioning_state(call.time)
    run = template.properties.get("lastRunStatus", {}).get("runState", "")
    return ArmError(
        405,
        "OperationNotAllowed",
        f"Operation {KIND}/{action} is not allowed in provisioning state:"
        f" {_STATE_WORDS.get(state, state.lower())} or run state: {run.lower()}.",
    )


def _is_running(template: Resource) -> bool:
    return template.properties.get("lastRunStatus", {}).get("runState") in UNDER_WAY


class ImageTemplateRoutes:
    """Routes of image templates and their runs."""

    def __init__(self, runs: ImageTemplateRuns, marketplace: Marketplace) -> None:
        self._runs = runs
        self._marketplace = marketplace

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of image templates."""
        rule = f"{_RULE}/<template>"
        return (
            Route("PUT", rule, self.put),
            Route("PATCH", rule, self.patch),
            Route("GET", rule, self.get),
            Route("DELETE", rule, self.delete),
            Route("GET", _RULE, self.list_in_group),
            Route(
                "GET",
                f"/subscriptions/<subscription>/providers/{_PROVIDER}/imagetemplates",
                self.list_in_subscription,
            ),
            Route("POST", f"{rule}/run", self.run),
            Route("POST", f"{rule}/cancel", self.cancel),
            Route("GET", f"{rule}/runoutputs", self.list_run_outputs),
            Route("GET", f"{rule}/runoutputs/<output>", self.get_run_output),
        )

    def put(self, call: Call) -> Reply:
        """Create a template; 409 `Conflict` if it exists, since templates cannot be replaced."""
        require_group(call)
        check_name(call.names["template"])
        # Documented and reported: templates are immutable, and a failed one must be deleted
        # first.
        if call.session.find(template_id(call)):
            raise ArmError(
                409,
                "Conflict",
                "Update/Upgrade of image templates is currently not supported. Please change the"
                " name of the template you are submitting. If you have previously tried to submit"
                " a template and it failed to provision, you must delete it first and then"
                " resubmit. For more information, go to https://aka.ms/azvmimagebuilderts.",
            )
        given = read_template(call.document(), "ImageTemplate", call.api_version)
        place = location(given, KIND)
        check_identity(given["identity"])
        if "properties" not in given:
            raise ArmError(400, "ValidationFailed", "Validation failed: 'properties' is missing.")
        check_properties(given["properties"])
        template = self._new(call, given, place)
        return self._provision(call, template)

    def _new(self, call: Call, given: dict[str, Any], place: str) -> Resource:
        # Recorded: the reply contains these defaults.
        properties = {"buildTimeoutInMinutes": 0, "stagingResourceGroup": ""} | given["properties"]
        properties["exactStagingResourceGroup"] = ""
        source = properties["source"]
        if source["type"] != "ManagedImage":
            wanted = source.get("version") or source["imageVersionId"].rsplit("/", 1)[-1]
            source["exactVersion"] = wanted
        for distributor in properties["distribute"]:
            if distributor["type"] == "SharedImage":
                # Recorded: the service adds this default.
                distributor.setdefault("versioning", None)
        return Resource(
            KIND,
            {
                "properties": properties,
                "location": place,
                "tags": given.get("tags", {}),
                "identity": given["identity"],
                "id": template_id(call),
                "type": KIND,
                "name": call.names["template"],
                "systemData": system_data(call, None),
            },
            settling="Creating",
            settles=call.time + call.pace.template_seconds(call.names["template"]),
        )

    def _provision(self, call: Call, template: Resource) -> Reply:
        """Reply with the submitted template; provisioning errors show in a later GET."""
        answer = present(template, call)
        answer["properties"] = answer["properties"] | {"provisioningState": "Creating"}
        error: dict[str, str] | None = None
        properties = template.body["properties"] = dict(template.properties)
        try:
            source = validate_references(template, call.session, self._marketplace)
        except ProvisioningFailed as failure:
            template.state = "Failed"
            error = {"code": failure.code, "message": failure.message}
            properties["provisioningError"] = {
                "provisioningErrorCode": failure.code,
                "message": failure.message,
            }
        else:
            if source.exact_version:
                properties["source"] = properties["source"] | {"exactVersion": source.exact_version}
            properties["exactStagingResourceGroup"] = make_staging(call, template)
        call.session.put(template)
        operation = operations.begin(
            call.session, template.id, started=call.time, ended=template.settles, error=error
        )
        then = None
        # Documented: autoRun starts a single run, at creation.
        if not error and (properties.get("autoRun") or {}).get("state") == "Enabled":
            _, then = self._runs.begin(call, template)
        return Reply(201, answer, self._headers(call, template, operation), then)

    def _headers(self, call: Call, template: Resource, operation: str) -> dict[str, str]:
        place = template.body["location"]
        return operations.headers(call, operations.IMAGE_BUILDER, place, operation)

    def patch(self, call: Call) -> Reply:
        """Update tags, identity, distributors or the build VM's profile, and nothing else."""
        template = find_template(call)
        if _is_running(template):
            raise _not_allowed("write", template, call)
        given = read_template(call.document(), "ImageTemplateUpdateParameters", call.api_version)
        if identity := given.get("identity"):
            check_identity(identity)
            template.body["identity"] = identity
        if "tags" in given:
            template.body["tags"] = given["tags"]
        changes = given.get("properties", {})
        check_distribute(changes.get("distribute", ()))
        check_vm_profile(changes.get("vmProfile", {}))
        template.properties.update(changes)
        template.settling, template.settles = "Updating", call.time + call.pace.operation
        call.session.put(template)
        operation = operations.begin(
            call.session, template.id, started=call.time, ended=template.settles
        )
        body = present(template, call)
        return Reply(200, body, self._headers(call, template, operation))

    def get(self, call: Call) -> Reply:
        """GET a template."""
        return Reply(200, present(find_template(call), call))

    def list_in_group(self, call: Call) -> Reply:
        """List the templates of a resource group."""
        require_group(call)
        return list_page(call, KIND, f"{call.scope}/")

    def list_in_subscription(self, call: Call) -> Reply:
        """List the templates of a subscription."""
        return list_page(call, KIND, f"/subscriptions/{call.names['subscription']}/")

    def delete(self, call: Call) -> Reply:
        """Delete a template and its run outputs; distributed images stay."""
        require_group(call)
        template = call.session.find(template_id(call))
        if not template:
            return Reply(204)
        if _is_running(template):
            raise _not_allowed("delete", template, call)
        template.settling = "Deleting"
        template.settles = call.time + call.pace.template_seconds(template.name)
        remove_staging(call.session, template)
        call.session.put(template)
        call.session.remove_settled(call.time)
        operation = operations.begin(
            call.session, template.id, started=call.time, ended=template.settles
        )
        place = template.body["location"]
        return Reply(
            202,
            None,
            operations.with_location(call, operations.IMAGE_BUILDER, place, operation),
        )

    def run(self, call: Call) -> Reply:
        """Start a build; 405 `OperationNotAllowed` unless the template is provisioned and idle."""
        template = find_template(call)
        if _is_running(template) or template.provisioning_state(call.time) != "Succeeded":
            raise _not_allowed("run/action", template, call)
        operation, then = self._runs.begin(call, template)
        place = template.body["location"]
        headers = operations.with_location(call, operations.IMAGE_BUILDER, place, operation)
        return Reply(202, None, headers, then)

    def cancel(self, call: Call) -> Reply:
        """Cancel the running build; the reply does not wait for its end."""
        template = find_template(call)
        if template.properties.get("lastRunStatus", {}).get("runState") != "Running":
            raise _not_allowed("cancel/action", template, call)
        # Recorded: 204 at once, although the run has yet to stop.
        self._runs.cancel(call, template)
        return Reply(204)

    def list_run_outputs(self, call: Call) -> Reply:
        """List the run outputs of a template."""
        return list_page(call, RUN_OUTPUTS, f"{find_template(call).id}/runOutputs/")

    def get_run_output(self, call: Call) -> Reply:
        """GET a run output."""
        found = call.session.find(f"{template_id(call)}/runOutputs/{call.names['output']}")
        if not found:
            names = f"{call.names['template']}/{call.names['output']}"
            raise resource_not_found(RUN_OUTPUTS, names, call.names["group"])
        return Reply(200, present(found, call))
