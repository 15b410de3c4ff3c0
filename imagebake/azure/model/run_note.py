"""What a bake writes down before it starts a run, so that whoever comes later can end it."""

from __future__ import annotations

import dataclasses
from typing import Literal

from pydantic import ValidationError

from imagebake.kernel.digest import canonical_json
from imagebake.spec.model.base import Value
from imagebake.spec.plan import BakePlan
from imagebake.spec.plan import plan_record, read_plan


class RunNote(Value):
    """One run of an image template: what it makes, for which plan, and how it ended.

    *plan* is the record of the whole plan, so that a run can be ended although spec and lock
    have changed since. *token* lets the operation be asked after when its template has gone;
    it holds a signed address, and is for the owner's eyes alone. *run* is the operation's id.
    What is None is not known yet.
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
    said: str | None = None
    log: str | None = None

    @property
    def version(self) -> str:
        """The number of the version that the run makes."""
        return self.target.rpartition("/")[2]

    @property
    def ended(self) -> bool:
        """Whether somebody saw the run's end."""
        return self.state is not None

    def read_plan(self) -> BakePlan | None:
        """The plan that the run is for; None for one that this imagebake cannot read."""
        plan = read_plan(self.plan.encode())
        return dataclasses.replace(plan, rendered_by=self.rendered_by) if plan else None

    def with_changes(self, **changes: object) -> RunNote:
        """This note with *changes*."""
        return self.model_copy(update=changes)

    def content(self) -> bytes:
        """The note as it is kept."""
        return canonical_json(self.to_json())


def plan_text(plan: BakePlan) -> str:
    """*plan* as a note keeps it."""
    return plan_record(plan).decode()


def read_note(content: bytes) -> RunNote | None:
    """The note in a file; None for what is none."""
    try:
        return RunNote.model_validate_json(content)
    except ValidationError:
        return None
