"""The plan of a bootstrap as a change request: what is made, for what, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

_SHORT = 12
_GROUPS = (
    ("Microsoft.Resources/providers", "Providers to register"),
    ("Microsoft.Resources/resourceGroups", "Resource groups"),
    ("Microsoft.Compute/galleries", "Galleries"),
    ("Microsoft.ManagedIdentity/", "Identities, and the workflows that log in as them"),
    ("Microsoft.Authorization/roleDefinitions", "Roles"),
    ("Microsoft.Authorization/roleAssignments", "Who is given what"),
    ("Microsoft.Storage/", "The mirror"),
    ("Microsoft.Network/", "Networks"),
)
_MARKS = {"create": "+", "change": "~", "keep": " ", "refuse": "!"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A resource: *mark* is `create`, `change`, `keep` or `refuse`, *lines* say what differs."""

    kind: str
    mark: str
    title: str
    about: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Everything that the change request says."""

    where: str
    digest: str
    rows: tuple[Told, ...]
    notes: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]
    variables: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many resources are created, changed, kept and refused."""
        return {mark: sum(row.mark == mark for row in self.rows) for mark in _MARKS}

    def to_json(self) -> dict[str, Any]:
        """What comes next, for programs."""
        return {
            "settings": dict(self.settings),
            "variables": list(self.variables),
            "notes": list(self.notes),
        }


def bootstrap_request(request: Request) -> str:
    """*request* as a person approves it."""
    return "\n".join(_lines(request)) + "\n"


def _lines(request: Request) -> Iterator[str]:
    counts = request.counts
    yield f"# Bootstrap {request.where}"
    yield ""
    due = counts["create"] + counts["change"]
    if not due and not counts["refuse"]:
        yield f"Nothing is to be done: all {counts['keep']} resources are as they should be."
    else:
        named = f" · plan {request.digest[:_SHORT]}" if due else ""
        yield (
            f"{counts['create']} to create (+), {counts['change']} to change (~),"
            f" {counts['keep']} as they should be, {counts['refuse']} in the way (!){named}"
        )
        yield from _resources(request.rows)
    if request.notes:
        yield from ("", "## Notes", "")
        yield from (f"- {note}" for note in request.notes)
    if request.settings:
        yield from ("", "## Then, in imagebake.yaml", "", "```yaml")
        yield from (f"{name}: {value}" for name, value in request.settings)
        yield "```"
    if request.variables:
        yield from ("", "## Then, for the workflows", "", "```sh", *request.variables, "```")


def _resources(rows: Iterable[Told]) -> Iterator[str]:
    def section(row: Told) -> int:
        return next(
            (number for number, (start, _) in enumerate(_GROUPS) if row.kind.startswith(start)),
            len(_GROUPS),
        )

    for number, mine in groupby(sorted(rows, key=section), key=section):
        listed = [row for row in mine if row.mark != "keep"]
        if not listed:
            continue
        title = _GROUPS[number][1] if number < len(_GROUPS) else "Other resources"
        yield from ("", f"## {title}", "")
        for row in listed:
            about = f": {row.about}" if row.about else ""
            yield f"{_MARKS[row.mark]} {row.title}{about}"
            yield from (f"    {line}" for line in row.lines)
