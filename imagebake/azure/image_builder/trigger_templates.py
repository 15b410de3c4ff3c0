"""Image templates with a trigger: Azure runs them whenever their source has a newer version."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.image_builder.image_templates import ImageTemplates
from imagebake.kernel.errors import CloudError, RolloutRefused

TAG_TRIGGER_TEMPLATE = "imagebake-standing"
"""Names the image that a template with a trigger belongs to."""

TRIGGER = "source"
"""Name of the trigger."""

# Azure refuses to change or delete a template while it runs.
_UNDER_WAY = ("Running", "Canceling")


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerTemplateStatus:
    """A template with a trigger, and the end of its last run, if there was any."""

    name: str
    state: str
    message: str = ""
    ended: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the status as JSON."""
        return {
            "template": self.name,
            "state": self.state,
            "message": self.message,
            "ended": self.ended,
        }


@dataclass(frozen=True, slots=True)
class TriggerTemplates:
    """The templates with a trigger in the endpoint's resource group."""

    clients: Clients

    def of(self, image: str) -> tuple[TriggerTemplateStatus, ...]:
        """Return the status of *image*'s templates, by name."""
        return tuple(_status(template) for template in self._listed(image))

    def put(
        self, image: str, name: str, body: Mapping[str, Any], trigger: Mapping[str, Any]
    ) -> bool:
        """Create the template *name* with its trigger, and delete others of *image*.

        Returns whether the template is new. Azure cannot update a template: an older one is
        deleted, unless it is running.
        """
        states = {
            template["name"]: template["properties"]["provisioningState"]
            for template in self._listed(image)
        }
        there = states.get(name) == "Succeeded"
        if name in states and not there:  # a failed template can only be deleted
            self._ask("delete", self._templates.begin_delete, name)
        if not there:
            tags = {**(body.get("tags") or {}), TAG_TRIGGER_TEMPLATE: image}
            tagged = {**body, "tags": tags}
            ImageTemplates(self.clients, lambda _: True, lambda _: None).check(tagged)
            self._create(name, tagged)
        self._ask(
            "set the trigger of",
            self._operations.triggers.begin_create_or_update,
            name,
            TRIGGER,
            dict(trigger),
        )
        self.remove(image, but=name)
        return not there

    def _create(self, name: str, body: Mapping[str, Any]) -> None:
        """Create the template, or leave nothing behind."""
        try:
            self._ask("create", self._templates.begin_create_or_update, name, body)
        except CloudError:
            with contextlib.suppress(CloudError):
                self._ask("delete", self._templates.begin_delete, name)
            raise

    def remove(self, image: str, *, but: str = "") -> tuple[str, ...]:
        """Delete the templates of *image*, except *but*; their image versions stay."""
        gone = []
        for template in self._listed(image):
            if template["name"] == but:
                continue
            if _status(template).state in _UNDER_WAY:
                raise RolloutRefused(
                    f"the standing template {template['name']} is trying a candidate",
                    hint="try again when it is done",
                )
            self._ask("delete", self._templates.begin_delete, template["name"])
            gone.append(str(template["name"]))
        return tuple(gone)

    def _listed(self, image: str) -> Iterator[dict[str, Any]]:
        found = self.clients.ask(
            "list image templates",
            self._templates.list_by_resource_group,
            self.clients.endpoint.resource_group,
        )
        for template in sorted(found, key=lambda template: str(template["name"])):
            if (template.get("tags") or {}).get(TAG_TRIGGER_TEMPLATE) == image:
                yield template

    def _ask(self, doing: str, operation: Any, name: str, *rest: object) -> None:  # noqa: ANN401
        group = self.clients.endpoint.resource_group
        self.clients.ask(f"{doing} image template {name!r}", operation, group, name, *rest)

    @property
    def _operations(self) -> Any:  # noqa: ANN401 - as in Clients
        return self.clients.image_builder

    @property
    def _templates(self) -> Any:  # noqa: ANN401 - as in Clients
        return self._operations.virtual_machine_image_templates


def _status(template: Mapping[str, Any]) -> TriggerTemplateStatus:
    status = template["properties"].get("lastRunStatus") or {}
    ended = str(status.get("endTime") or "")
    return TriggerTemplateStatus(
        name=str(template["name"]),
        state=str(status.get("runState") or "waiting"),
        message=str(status.get("message") or ""),
        ended="" if ended.startswith("0001-") else ended,
    )
