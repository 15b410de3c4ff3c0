"""Triggers of image templates: run the template when its source has a newer version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from imagebake.emulator import operations
from imagebake.emulator.calls import Call, Reply, Route, stamp
from imagebake.emulator.errors import ArmError, resource_not_found
from imagebake.emulator.identifiers import TEMPLATE, image_id
from imagebake.emulator.image_builder.runs import UNDER_WAY, ImageTemplateRuns
from imagebake.emulator.image_builder.template_references import ProvisioningFailed, find_source
from imagebake.emulator.image_builder.template_validation import bad_field_value
from imagebake.emulator.image_builder.templates import find_template
from imagebake.emulator.machines.marketplace import Marketplace
from imagebake.emulator.resources import list_page, present, system_data
from imagebake.emulator.store import Resource, Session

KIND = "Microsoft.VirtualMachineImages/imageTemplates/triggers"
MOST_TRIGGERS = 100
"""Limit of triggers per subscription and region."""

_RULE = (
    "/subscriptions/<subscription>/resourcegroups/<group>/providers/microsoft.virtualmachineimages"
    "/imagetemplates/<template>/triggers"
)
_REFUSED = 409


class TriggerRoutes:
    """Routes of triggers, and their firing."""

    def __init__(self, runs: ImageTemplateRuns, marketplace: Marketplace) -> None:
        self._runs = runs
        self._marketplace = marketplace

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of triggers."""
        rule = f"{_RULE}/<trigger>"
        return (
            Route("PUT", rule, self.put),
            Route("GET", rule, self.get),
            Route("DELETE", rule, self.delete),
            Route("GET", _RULE, self.list_of_template),
        )

    def put(self, call: Call) -> Reply:
        """Create a trigger; it fires for versions newer than the current one."""
        template, name = find_template(call), call.names["trigger"]
        given = call.document().get("properties") or {}
        if not TEMPLATE.fullmatch(name):
            raise bad_field_value("Trigger", "name", name)
        if given.get("kind") != "SourceImage":
            raise bad_field_value("Trigger.properties", "kind", given.get("kind"))
        trigger_id = f"{template.id}/triggers/{name}"
        known = call.session.find(trigger_id)
        if not known:
            # An existing trigger may be put again; only a new one counts against the limits.
            self._require_allowed(call, template)
        body = {
            "properties": {"kind": "SourceImage", "status": _status(call, "")},
            "id": trigger_id,
            "type": KIND,
            "name": name,
            "systemData": system_data(call, None),
        }
        trigger = Resource(
            KIND,
            body,
            # Assumed: the version at creation does not fire the trigger.
            private={"seen": self._newest(template, call.session)},
            settling="Creating",
            settles=call.time + call.pace.operation,
        )
        call.session.put(trigger)
        operation = operations.begin(
            call.session, trigger.id, started=call.time, ended=trigger.settles
        )
        place = template.body["location"]
        headers = operations.headers(call, operations.IMAGE_BUILDER, place, operation)
        return Reply(200 if known else 201, present(trigger, call), headers)

    def _require_allowed(self, call: Call, template: Resource) -> None:
        if template.provisioning_state(call.time) != "Succeeded":
            raise _refusal("the image template has not been provisioned successfully")
        if call.session.list(KIND, f"{template.id}/triggers/", limit=1):
            raise _refusal("the image template has a trigger already")
        if reason := _ineligibility(template.properties):
            raise _refusal(reason)
        place = template.body["location"]
        in_region = [
            trigger
            for trigger in call.session.list(KIND, f"/subscriptions/{call.names['subscription']}/")
            if (owner := call.session.find(trigger.id.rpartition("/triggers/")[0]))
            and owner.body["location"] == place
        ]
        if len(in_region) >= MOST_TRIGGERS:
            raise _refusal(f"the subscription has {MOST_TRIGGERS} triggers in {place}")

    def get(self, call: Call) -> Reply:
        """GET a trigger."""
        return Reply(200, present(self._find(call), call))

    def list_of_template(self, call: Call) -> Reply:
        """List the triggers of a template."""
        return list_page(call, KIND, f"{find_template(call).id}/triggers/")

    def delete(self, call: Call) -> Reply:
        """Delete a trigger; its template stays."""
        template = find_template(call)
        found = call.session.find(f"{template.id}/triggers/{call.names['trigger']}")
        if not found:
            return Reply(204)
        call.session.remove(found.id)
        operation = operations.begin(call.session, found.id, started=call.time, ended=call.time)
        place = template.body["location"]
        headers = operations.with_location(call, operations.IMAGE_BUILDER, place, operation)
        return Reply(202, None, headers)

    def _find(self, call: Call) -> Resource:
        template = find_template(call)
        found = call.session.find(f"{template.id}/triggers/{call.names['trigger']}")
        if not found:
            names = f"{template.name}/{call.names['trigger']}"
            raise resource_not_found(KIND, names, call.names["group"])
        return found

    def due(self, session: Session) -> tuple[str, ...]:
        """Return the triggers whose source has a version that they have not seen."""
        return tuple(
            trigger.id
            for trigger in session.list(KIND, "/subscriptions/")
            if (template := session.find(trigger.id.rpartition("/triggers/")[0]))
            and self._newest(template, session) not in ("", trigger.private["seen"])
        )

    def fire(
        self, trigger_id: str, session: Session, now: dt.datetime
    ) -> Callable[[], None] | None:
        """Run the template of a due trigger; call the result to start the run.

        While the template is running, the trigger stays due.
        """
        trigger = session.find(trigger_id)
        template = session.find(trigger_id.rpartition("/triggers/")[0])
        if not trigger or not template:
            return None
        # The version stays unseen, so the trigger fires after this run.
        if template.properties.get("lastRunStatus", {}).get("runState") in UNDER_WAY:
            return None
        newest = trigger.private["seen"] = self._newest(template, session)
        template.properties["source"]["exactVersion"] = newest
        trigger.properties["status"] = {"code": "Succeeded", "message": "", "time": stamp(now)}
        session.put(trigger)
        _, start = self._runs.start(session, template, now)
        return start

    def _newest(self, template: Resource, session: Session) -> str:
        """Return the newest version of the template's source; empty if there is none."""
        source, place = template.properties["source"], template.body["location"]
        try:
            return find_source(source, place, session, self._marketplace).exact_version
        except ProvisioningFailed:
            return ""


def _status(call: Call, message: str) -> dict[str, str]:
    return {"code": "", "message": message, "time": stamp(call.now)}


def _refusal(why: str) -> ArmError:
    return ArmError(_REFUSED, "Conflict", f"The trigger cannot be created: {why}.")


def _ineligibility(properties: Mapping[str, Any]) -> str:
    """Return why a template cannot have a trigger; empty if it can."""
    source = properties["source"]
    if source["type"] == "ManagedImage":
        return "its source is a managed image"
    named = image_id(source.get("imageVersionId", ""))
    wanted = source.get("version") or (named.version if named else None)
    if wanted != "latest":
        return f"its source is version '{wanted}', and not 'latest'"
    for distributor in properties["distribute"]:
        target = image_id(distributor.get("galleryImageId", ""))
        if target and target.version:
            return f"it distributes to version '{target.version}', which is made once"
        if target and named and target.definition_id.lower() == named.definition_id.lower():
            return "it distributes to the image that is its source"
    return ""
