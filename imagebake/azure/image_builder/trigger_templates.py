"""Standing image templates: Azure runs one by itself whenever its source has a newer version."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.image_builder.image_templates import ImageTemplates
from imagebake.kernel.errors import CloudError, RolloutRefused

TAG_STANDING = "imagebake-standing"
"""Carries the name of the image that a standing template is for."""

TRIGGER = "source"
"""What the trigger of a standing template is called."""

_UNDER_WAY = ("Running", "Canceling")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """One standing template, and how its last run ended, if there was one."""

    name: str
    state: str
    message: str = ""
    ended: str = ""

    def to_json(self) -> dict[str, str]:
        """The template as programs read it."""
        return {
            "template": self.name,
            "state": self.state,
            "message": self.message,
            "ended": self.ended,
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """The standing templates of the endpoint's resource group."""

    clients: Clients

    def of(self, image: str) -> tuple[Stand, ...]:
        """Those of *image*, by name."""
        return tuple(_stand(one) for one in self._listed(image))

    def put(
        self, image: str, name: str, body: Mapping[str, Any], trigger: Mapping[str, Any]
    ) -> bool:
        """Have the template *name* with its trigger, and no other of *image*; whether it is new.

        Azure cannot update a template: an older one goes, unless it runs right now.
        """
        states = {
            one["name"]: one["properties"]["provisioningState"] for one in self._listed(image)
        }
        there = states.get(name) == "Succeeded"
        if name in states and not there:  # nothing but deleting helps one that has failed
            self._ask("delete", self._templates.begin_delete, name)
        if not there:
            tagged = {**body, "tags": {**(body.get("tags") or {}), TAG_STANDING: image}}
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
        """Take the standing templates of *image* away, *but* one; what they made stays."""
        gone = []
        for one in self._listed(image):
            if one["name"] == but:
                continue
            if _stand(one).state in _UNDER_WAY:
                raise RolloutRefused(
                    f"the standing template {one['name']} is trying a candidate",
                    hint="try again when it is done",
                )
            self._ask("delete", self._templates.begin_delete, one["name"])
            gone.append(str(one["name"]))
        return tuple(gone)

    def _listed(self, image: str) -> Iterator[dict[str, Any]]:
        found = self.clients.ask(
            "list image templates",
            self._templates.list_by_resource_group,
            self.clients.endpoint.resource_group,
        )
        for one in sorted(found, key=lambda one: str(one["name"])):
            if (one.get("tags") or {}).get(TAG_STANDING) == image:
                yield one

    def _ask(self, doing: str, operation: Any, name: str, *rest: object) -> None:  # noqa: ANN401
        group = self.clients.endpoint.resource_group
        self.clients.ask(f"{doing} image template {name!r}", operation, group, name, *rest)

    @property
    def _operations(self) -> Any:  # noqa: ANN401 - as in Clients
        return self.clients.image_builder

    @property
    def _templates(self) -> Any:  # noqa: ANN401 - as in Clients
        return self._operations.virtual_machine_image_templates


def _stand(template: Mapping[str, Any]) -> Stand:
    status = template["properties"].get("lastRunStatus") or {}
    ended = str(status.get("endTime") or "")
    return Stand(
        name=str(template["name"]),
        state=str(status.get("runState") or "waiting"),
        message=str(status.get("message") or ""),
        ended="" if ended.startswith("0001-") else ended,
    )
