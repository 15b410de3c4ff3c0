"""What bakes left in the cloud: templates that are over or stuck, staging groups of none.

Only what is provably ours is ever named for deletion: a template by its tag, a staging group by
the service's own tags and a template's name that only imagebake gives.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import NotFound
from imagebake.azure.client.serialize import moment
from imagebake.azure.image_builder.image_templates import TAG_FINGERPRINT
from imagebake.azure.image_builder.trigger_templates import TAG_STANDING
from imagebake.kernel.errors import CloudError


class Kind(enum.StrEnum):
    """What was left."""

    TEMPLATE = "image template"
    STAGING = "staging group"
    RUN = "run"


class Act(enum.StrEnum):
    """What is done about it: ended by the note of its run, deleted, or left alone."""

    ADOPT = "adopt"
    DELETE = "delete"
    FORGET = "forget"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing, with its ARM id, and why it may or may not go."""

    kind: Kind
    id: str
    name: str
    act: Act
    why: str

    def to_json(self) -> dict[str, Any]:
        """The leftover for programs."""
        return {
            "kind": self.kind.value,
            "id": self.id,
            "name": self.name,
            "act": self.act.value,
            "why": self.why,
        }


_GROUPS_API = "2021-04-01"
_SETTLING = frozenset({"Creating", "Updating", "Deleting"})
_GOING = frozenset({"Running", "Canceling"})
_GRACE = dt.timedelta(hours=1)
"""Younger than this, something may be in the hands of a bake that is going on."""
_BESIDES = dt.timedelta(hours=2)
"""What a run may take besides its build, before it counts as stuck."""
_DEFAULT_MINUTES = 240
_DELETION_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """The leftovers of the endpoint's resource group; *images* are the names that are ours.

    *noted* are the templates whose runs somebody on this machine wants to end.
    """

    clients: Clients
    images: frozenset[str]
    noted: frozenset[str]
    now: dt.datetime

    def find(self) -> tuple[Leftover, ...]:
        """Everything that is left over, or looks so and has to stay; nothing is changed."""
        doing = "list the image templates"
        listed = self.clients.find(doing, self._templates.list_by_resource_group, self._group)
        templates = {str(one["name"]): one for one in listed or ()}
        found = [self._template(one) for one in templates.values()]
        groups = [self._staging(one, frozenset(templates)) for one in self._groups()]
        return tuple(one for one in (*found, *groups) if one)

    def delete(self, leftover: Leftover) -> None:
        """Delete *leftover* and wait until it has gone; raises `CloudError` when it stays."""
        if leftover.kind is Kind.TEMPLATE:
            self._delete_template(leftover.name)
            return
        path = f"{leftover.id}?api-version={_GROUPS_API}"
        self.clients.send(f"delete resource group {leftover.name!r}", "DELETE", path)
        self._await(leftover.name, lambda: self._group_exists(path))

    def _template(self, template: Mapping[str, Any]) -> Leftover | None:
        name, properties = str(template["name"]), template["properties"]
        tags = template.get("tags") or {}
        if TAG_STANDING in tags:  # it waits for its trigger, and no bake is about it
            return None
        ours = TAG_FINGERPRINT in tags
        if not ours and not self._is_name_of_ours(name):
            return None
        act, why = self._judged(name, template, properties) if ours else (Act.LEAVE, _UNPROVEN)
        return Leftover(Kind.TEMPLATE, str(template["id"]), name, act, why)

    def _judged(
        self, name: str, template: Mapping[str, Any], properties: Mapping[str, Any]
    ) -> tuple[Act, str]:
        state = str(properties.get("provisioningState"))
        run = properties.get("lastRunStatus") or {}
        run_state = str(run.get("runState") or "")
        if run_state in _GOING:
            return self._judged_going(run, properties, noted=name in self.noted)
        if name in self.noted:
            return Act.ADOPT, f"its run ended {run_state}" if run_state else "its run never began"
        changed = template.get("systemData") or {}
        since = moment(run.get("endTime")) or moment(
            changed.get("lastModifiedAt") or changed.get("createdAt")
        )
        age = self.now - since if since else None
        what = f"its run ended {run_state}" if run_state else "it never ran"
        if state in _SETTLING:
            what = f"it is stuck {state.lower()}"
        elif state == "Failed":
            error = properties.get("provisioningError") or {}
            what = f"it failed: {error.get('provisioningErrorCode') or 'no reason is given'}"
        if age is None or age < _GRACE:
            return Act.LEAVE, f"{what.replace('stuck ', '')} just now: a bake may be about it"
        return Act.DELETE, f"{what}, {_hours(age)} ago"

    def _judged_going(
        self, run: Mapping[str, Any], properties: Mapping[str, Any], *, noted: bool
    ) -> tuple[Act, str]:
        minutes = properties.get("buildTimeoutInMinutes") or _DEFAULT_MINUTES
        began = moment(run.get("startTime"))
        age = self.now - began if began else dt.timedelta()
        if age > dt.timedelta(minutes=minutes) + _BESIDES:
            return Act.DELETE, f"its run goes on since {_hours(age)}, and may take {minutes} min"
        return Act.LEAVE, "its run is under way" + (": bake --resume ends it" if noted else "")

    def _staging(self, group: Mapping[str, Any], templates: frozenset[str]) -> Leftover | None:
        name, tags = str(group["name"]), group.get("tags") or {}
        template = str(tags.get("imageTemplateName") or "")
        home = str(tags.get("imageTemplateResourceGroupName") or "")
        if not name.startswith("IT_") or home.lower() != self._group.lower():
            return None
        if template in templates:
            return None
        if (group.get("properties") or {}).get("provisioningState") == "Deleting":
            return None
        ours = self._is_name_of_ours(template)
        act = Act.DELETE if ours else Act.LEAVE
        why = f"its template {template} has gone" if ours else _UNPROVEN
        return Leftover(Kind.STAGING, str(group["id"]), name, act, why)

    def _is_name_of_ours(self, name: str) -> bool:
        match = _NAME.fullmatch(name)
        return match is not None and match[1] in {image[:40] for image in self.images}

    def _groups(self) -> Iterator[Mapping[str, Any]]:
        subscription = self.clients.endpoint.subscription
        path = f"/subscriptions/{subscription}/resourcegroups?api-version={_GROUPS_API}"
        while path:
            page = self.clients.send("list the resource groups", "GET", path)
            yield from page["value"]
            path = str(page.get("nextLink") or "")

    def _delete_template(self, name: str) -> None:
        there = self._find(name)
        if there and _run_state(there) == "Running":
            self._ask(name, "cancel the run of", self._templates.begin_cancel)
            self._await(name, lambda: _run_state(self._find(name) or {}) in _GOING)
        self._ask(name, "delete", self._templates.begin_delete)
        self._await(name, lambda: self._find(name) is not None)

    def _ask(self, name: str, doing: str, operation: Any) -> None:  # noqa: ANN401 - as in Clients
        said = f"{doing} image template {name!r}"
        self.clients.find(said, operation, self._group, name, polling=False)

    def _find(self, name: str) -> dict[str, Any] | None:
        doing = f"read image template {name!r}"
        found: dict[str, Any] | None = self.clients.find(
            doing, self._templates.get, self._group, name
        )
        return found

    def _group_exists(self, path: str) -> bool:
        try:
            self.clients.send("read the resource group", "GET", path)
        except NotFound:
            return False
        return True

    def _await(self, name: str, still: Callable[[], bool]) -> None:
        patience = self.clients.patience
        deadline = patience.clock() + _DELETION_SECONDS
        while still():
            if patience.clock() >= deadline:
                raise CloudError(
                    f"{name} is still there after {_DELETION_SECONDS / 60:.0f} minutes",
                    code="Stuck",
                    hint="Azure goes on deleting; when it lasts for a day, its support has to help",
                )
            patience.sleep(self.clients.endpoint.polling_seconds)

    @property
    def _templates(self) -> Any:  # noqa: ANN401 - as in Clients
        return self.clients.image_builder.virtual_machine_image_templates

    @property
    def _group(self) -> str:
        return self.clients.endpoint.resource_group


_NAME = re.compile(r"(.+)-[0-9a-f]{16}")
_UNPROVEN = "it is not provably ours"


def _run_state(template: Mapping[str, Any]) -> str:
    status = (template.get("properties") or {}).get("lastRunStatus") or {}
    return str(status.get("runState") or "")


def _hours(age: dt.timedelta) -> str:
    return f"{age.total_seconds() / 3600:.0f} h"
