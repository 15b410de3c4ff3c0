"""Render the ARM templates that make what imagebake stands on, one for each place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imagebake.bootstrap.rbac import DUTIES
from imagebake.bootstrap.resources import AUDIENCE, ISSUER, Foundation
from imagebake.kernel.templating import Templates


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A template, and where it is deployed: to *group*, or with none to the subscription."""

    name: str
    group: str
    location: str
    template: dict[str, Any]

    @property
    def parameters(self) -> tuple[str, ...]:
        """What the template wants to be told."""
        return tuple(self.template.get("parameters") or ())


def render_bootstrap(it: Foundation, templates: Templates) -> tuple[Deployment, ...]:
    """Render every template, in the order in which they are deployed."""
    first, second = it.first, it.second
    apart = second is not None and second.group.lower() != first.group.lower()
    made = [
        _deployment(it, templates, "subscription", group=""),
        _deployment(it, templates, "group", group=first.group),
    ]
    if apart:
        made.append(_deployment(it, templates, "second", group=it.galleries[1].group))
    made.append(_deployment(it, templates, "everywhere", group=""))
    return tuple(made)


def _deployment(it: Foundation, templates: Templates, name: str, *, group: str) -> Deployment:
    mine = [
        assignment for assignment in it.assignments if assignment.group.lower() == group.lower()
    ]
    template = templates.json(
        f"bootstrap/{name}.json.j2",
        it=it,
        duties=DUTIES,
        issuer=ISSUER,
        audience=AUDIENCE,
        assignments=mine,
    )
    places = {known.lower(): location for known, location in it.groups}
    return Deployment(
        name=name,
        group=group,
        location=places.get(group.lower(), it.first.location),
        template=template,
    )
