"""Leftovers of bakes in the cloud: ended or stuck templates, orphaned staging groups.

Only resources that are provably ours are proposed for deletion: a template by its tag, a
staging group by the service's own tags and a template name in imagebake's form.
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
from imagebake.azure.image_builder.trigger_templates import TAG_TRIGGER_TEMPLATE
from imagebake.kernel.errors import CloudError


class LeftoverKind(enum.StrEnum):
    """Kind of a leftover."""

    TEMPLATE = "image template"
    STAGING = "staging group"
    RUN = "run"


class CleanupAction(enum.StrEnum):
    """Action on a leftover: end it by its run's note, delete it, drop its note, leave it."""

    ADOPT = "adopt"
    DELETE = "delete"
    FORGET = "forget"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A leftover resource, with its ARM id, the action on it and the reason."""

    kind: LeftoverKind
    id: str
    name: str
    act: CleanupAction
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return the leftover as JSON."""
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
"""A younger resource may belong to a bake that is running."""
_BESIDES = dt.timedelta(hours=2)
"""Time of a run besides its build, after which it counts as stuck."""
_DEFAULT_MINUTES = 240
_DELETION_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """Finder of the leftovers in the endpoint's resource group; *images* are our image names.

    *noted* are the templates whose runs have a note on this machine.
    """

    clients: Clients
    images: frozenset[str]
    noted: frozenset[str]
    now: dt.datetime

    def find(self) -> tuple[Leftover, ...]:
        """Return all leftovers, and resources that look like one but have to stay."""
        doing = "list the image templates"
        listed = self.clients.find(doing, self._templates.list_by_resource_group, self._group)
        templates = {str(resource["name"]): resource for resource in listed or ()}
        found = [self._template(resource) for resource in templates.values()]
        groups = [self._staging(resource, frozenset(templates)) for resource in self._groups()]
        return tuple(resource for resource in (*found, *groups) if resource)

    def delete(self, leftover: Leftover) -> None:
        """Delete *leftover* and wait until it is gone; raises `CloudError` when it stays."""
        if leftover.kind is LeftoverKind.TEMPLATE:
            self._delete_template(leftover.name)
            return
        path = f"{leftover.id}?api-version={_GROUPS_API}"
        self.clients.send(f"delete resource group {leftover.name!r}", "DELETE", path)
        self._await(leftover.name, lambda: self._group_exists(path))

    def _template(self, template: Mapping[str, Any]) -> Leftover | None:
        name, properties = str(template["name"]), template["properties"]
        tags = template.get("tags") or {}
        if TAG_TRIGGER_TEMPLATE in tags:  # it waits for its trigger, and belongs to no bake
            return None
        ours = TAG_FINGERPRINT in tags
        if not ours and not self._is_name_of_ours(name):
            return None
        act, why = CleanupAction.LEAVE, _UNPROVEN
        if ours:
            act, why = self._judged(name, template, properties)
        return Leftover(LeftoverKind.TEMPLATE, str(template["id"]), name, act, why)

    def _judged(
        self, name: str, template: Mapping[str, Any], properties: Mapping[str, Any]
    ) -> tuple[CleanupAction, str]:
        state = str(properties.get("provisioningState"))
        run = properties.get("lastRunStatus") or {}
        run_state = str(run.get("runState") or "")
        if run_state in _GOING:
            return self._judged_going(run, properties, noted=name in self.noted)
        if name in self.noted:
            ended = f"its run ended {run_state}" if run_state else "its run never began"
            return CleanupAction.ADOPT, ended
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
            described = what.replace("stuck ", "")
            return CleanupAction.LEAVE, f"{described} just now: a bake may be about it"
        return CleanupAction.DELETE, f"{what}, {_hours(age)} ago"

    def _judged_going(
        self, run: Mapping[str, Any], properties: Mapping[str, Any], *, noted: bool
    ) -> tuple[CleanupAction, str]:
        minutes = properties.get("buildTimeoutInMinutes") or _DEFAULT_MINUTES
        began = moment(run.get("startTime"))
        age = self.now - began if began else dt.timedelta()
        if age > dt.timedelta(minutes=minutes) + _BESIDES:
            why = f"its run goes on since {_hours(age)}, and may take {minutes} min"
            return CleanupAction.DELETE, why
        why = "its run is under way" + (": bake --resume ends it" if noted else "")
        return CleanupAction.LEAVE, why

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
        act = CleanupAction.DELETE if ours else CleanupAction.LEAVE
        why = f"its template {template} has gone" if ours else _UNPROVEN
        return Leftover(LeftoverKind.STAGING, str(group["id"]), name, act, why)

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
        action = f"{doing} image template {name!r}"
        self.clients.find(action, operation, self._group, name, polling=False)

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


# Template names are the image's name, cut to 40 characters, and 16 digits of its bake key.
_NAME = re.compile(r"(.+)-[0-9a-f]{16}")
_UNPROVEN = "it is not provably ours"


def _run_state(template: Mapping[str, Any]) -> str:
    status = (template.get("properties") or {}).get("lastRunStatus") or {}
    return str(status.get("runState") or "")


def _hours(age: dt.timedelta) -> str:
    return f"{age.total_seconds() / 3600:.0f} h"
