"""Note of a run, written before it starts so that a later command can finish the bake."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pydantic import Field, ValidationError

from imagebake.kernel.digest import canonical_json
from imagebake.spec.model.base import Value
from imagebake.spec.plan import BakePlan, plan_record, read_plan


class RunNote(Value):
    """A run of an image template: its output, its plan, and its end.

    *plan* is the record of the whole plan, so that a bake can be finished although spec and
    lock have changed since. *token* finds the operation after its template has been deleted;
    it contains a signed address, so it must not be printed. *run* is the operation's id.
    Fields are None until they are known.
    """

    note_version: Literal[1] = 1
    image: str
    template: str
    target: str
    definition: str
    bake_key: str
    base_url: str
    subscription: str
    resource_group: str
    gallery: str
    begun: str
    plan: str
    rendered_by: str | None = None
    template_sha256: str | None = None
    token: str = ""
    run: str = ""
    seconds: float | None = None
    state: str | None = None
    message: str | None = Field(default=None, alias="said")
    log: str | None = None

    @property
    def version(self) -> str:
        """The number of the version that the run creates."""
        return self.target.rpartition("/")[2]

    @property
    def ended(self) -> bool:
        """Whether the end of the run has been recorded."""
        return self.state is not None

    def read_plan(self) -> BakePlan | None:
        """Return the plan of the run; None for one of another version of imagebake."""
        plan = read_plan(self.plan.encode())
        return dataclasses.replace(plan, rendered_by=self.rendered_by) if plan else None

    def with_changes(self, **changes: object) -> RunNote:
        """Return a copy of the note with *changes*."""
        return self.model_copy(update=changes)

    def content(self) -> bytes:
        """Return the note as it is stored."""
        return canonical_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the note as JSON; its keys are those of the first notes."""
        return self.model_dump(mode="json", exclude_none=True, by_alias=True)


def plan_text(plan: BakePlan) -> str:
    """Return *plan* as a note stores it."""
    return plan_record(plan).decode()


def read_note(content: bytes) -> RunNote | None:
    """Parse a note; None for a malformed one."""
    try:
        return RunNote.model_validate_json(content)
    except ValidationError:
        return None
