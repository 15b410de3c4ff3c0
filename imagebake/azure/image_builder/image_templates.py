"""Life of an image template: created for a bake, run, deleted in every case.

Azure cannot update a template, refuses a second run of a running one, and the answer to a
request may be lost. So a template is named after what it bakes; an existing one of that name
is a bake of the same image, by a process that was killed or by another machine, and is waited
for rather than started twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import Conflict, OutcomeUnknown
from imagebake.azure.image_builder.runs import Run
from imagebake.kernel.digest import sha256_json
from imagebake.kernel.errors import CloudError, RenderError

TAG_FINGERPRINT = "imagebake-template"
_UNSETTLED = frozenset({"Creating", "Updating", "Deleting"})
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class ImageTemplates:
    """The image templates of the endpoint's resource group.

    *is_free* returns whether an image version's id can still be created; *note* receives
    messages about existing templates.
    """

    clients: Clients
    is_free: Callable[[str], bool]
    note: Callable[[str], None]

    @contextlib.contextmanager
    def template(self, name: str, body: Mapping[str, Any]) -> Iterator[Run]:
        """Create the template *name* with *body*, ready to run; delete it on leaving.

        On an error our own run is cancelled first; an adopted run is left alone. Where Azure
        does not answer, the template stays: its run can be picked up later.
        """
        adopted = False
        try:
            run = self._obtain(name, _with_fingerprint(body))
            adopted = run.adopted
            yield run
        except OutcomeUnknown:  # what runs there goes on, and can be picked up
            raise
        except BaseException:
            with contextlib.suppress(CloudError):
                self.delete(name, cancel=not adopted)
            raise
        self.delete(name, cancel=False)

    @contextlib.contextmanager
    def adopted(self, name: str, target: str) -> Iterator[Run]:
        """Follow the template *name*, which exists and creates *target*.

        It is deleted on leaving, once its run has ended.
        """
        try:
            yield Run(self.clients, name, target, adopted=True)
        except OutcomeUnknown:
            raise
        except BaseException:
            with contextlib.suppress(CloudError):
                self.delete(name, cancel=False)
            raise
        self.delete(name, cancel=False)

    def exists(self, name: str) -> bool:
        """Return whether there is a template *name* that is not being deleted."""
        return self._settled(name) is not None

    def check(self, body: Mapping[str, Any]) -> None:
        """Check *body* offline; raises `RenderError` with all that Azure would refuse later."""
        from imagebake.azure.image_builder.template_check import check_template  # noqa: PLC0415 - imports azure

        if complaints := check_template(body):
            raise RenderError(
                "the rendered text is not an image template:\n  " + "\n  ".join(complaints),
                hint="mend templates/image_template.json.j2",
            )

    def delete(self, name: str, *, cancel: bool) -> None:
        """Delete a template, if it exists; *cancel* its run, or leave a running one alone."""
        for _ in range(_ROUNDS):
            there = self._settled(name)
            if there is None:
                return
            if _run_state(there) == "Running":
                if not cancel:
                    return
                self._ask(name, "cancel the run of", "begin_cancel")
                continue
            with contextlib.suppress(Conflict):
                self._ask(name, "delete", "begin_delete")
        raise CloudError(
            f"image template {name!r} cannot be deleted",
            code="TemplateStays",
            hint="see what holds it, then: az image builder delete",
        )

    def outputs(self, name: str) -> tuple[tuple[str, str], ...]:
        """Return the outputs of the last run: name, and ARM id or address."""
        listed = self.clients.ask(
            f"list what image template {name!r} made",
            self._operations.list_run_outputs,
            self._group,
            name,
        )
        listing = ((output["name"], output["properties"]) for output in listed)
        return tuple(
            (name, str(properties.get("artifactId") or properties.get("artifactUri") or ""))
            for name, properties in listing
        )

    def _obtain(self, name: str, body: dict[str, Any]) -> Run:
        for _ in range(_ROUNDS):
            there = self._settled(name)
            if there is None:
                with contextlib.suppress(Conflict):  # created by another, or our answer was lost
                    create = self._operations.begin_create_or_update
                    self.clients.ask(
                        f"create image template {name!r}", create, self._group, name, body
                    )
                    return Run(self.clients, name, _target(body), adopted=False)
                continue
            if _run_state(there) == "Running":
                self.note(f"image template {name} is running already: waiting for it")
                return Run(self.clients, name, _target(there), adopted=True)
            if self._fresh(there, body):
                return Run(self.clients, name, _target(there), adopted=False)
            self.note(f"image template {name} is left from an earlier bake: deleting it")
            self.delete(name, cancel=False)
        raise CloudError(
            f"image template {name!r} could not be created: another client keeps changing it",
            code="Conflict",
            hint="is the same image baked elsewhere? try again when that is done",
        )

    def _fresh(self, there: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
        """Return whether a template that never ran would bake the same as *body*."""
        return (
            _state(there) == "Succeeded"
            and not _run_state(there)
            and _fingerprint(there) == _fingerprint(body)
            and self.is_free(_target(there))
        )

    def _settled(self, name: str) -> dict[str, Any] | None:
        """Return the template once nothing but a run may change it; None where it is gone."""
        while True:
            there: dict[str, Any] | None = self.clients.find(
                f"read image template {name!r}", self._operations.get, self._group, name
            )
            if there is None:
                return None
            if _state(there) not in _UNSETTLED and _run_state(there) != "Canceling":
                return there
            self.clients.patience.sleep(self.clients.endpoint.polling_seconds)

    def _ask(self, name: str, doing: str, operation: str, *body: object) -> None:
        self.clients.find(
            f"{doing} image template {name!r}",
            getattr(self._operations, operation),
            self._group,
            name,
            *body,
        )

    @property
    def _operations(self) -> Any:  # noqa: ANN401 - as in Clients
        return self.clients.image_builder.virtual_machine_image_templates

    @property
    def _group(self) -> str:
        return self.clients.endpoint.resource_group


def _with_fingerprint(body: Mapping[str, Any]) -> dict[str, Any]:
    """Tag *body* with a digest of its inputs, without the version's number and its tags."""
    properties = body["properties"]
    parts = ("source", "customize", "validate", "optimize", "vmProfile")
    content = {part: properties.get(part) for part in parts}
    # Younger parts enter the digest only where they are set, so that older tags stay valid.
    later = ("errorHandling", "additionalDataDisks", "stagingResourceGroup", "managedResourceTags")
    content |= {part: properties[part] for part in later if part in properties}
    if further := properties["distribute"][1:]:
        content["distribute"] = [{**output, "artifactTags": None} for output in further]
    digest = sha256_json(content)
    return {**body, "tags": {**(body.get("tags") or {}), TAG_FINGERPRINT: digest}}


def _fingerprint(template: Mapping[str, Any]) -> str | None:
    return (template.get("tags") or {}).get(TAG_FINGERPRINT)


def _target(template: Mapping[str, Any]) -> str:
    return str(template["properties"]["distribute"][0].get("galleryImageId", ""))


def _state(template: Mapping[str, Any]) -> str:
    return str(template["properties"].get("provisioningState"))


def _run_state(template: Mapping[str, Any]) -> str:
    return str((template["properties"].get("lastRunStatus") or {}).get("runState") or "")
