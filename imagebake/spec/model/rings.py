"""Rings and retirement: how versions reach machines and how they are removed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imagebake.kernel.text.constrained import spelled
from imagebake.spec.model.base import Value
from imagebake.spec.model.types import Region, TagName, TagText, Text

RingName = Annotated[
    str,
    spelled(r"[a-z][a-z0-9-]{0,31}", "a ring's name: lower-case letters, digits and dashes"),
]
"""The name of a ring, such as `canary`."""

Percent = Annotated[int, Field(ge=1, le=100)]
"""A share of a scale set's instances, in percent."""


class Audience(Value):
    """The scale sets and machines of a ring, by name or by tag."""

    scale_sets: Annotated[tuple[Text, ...], Field(max_length=2000)] = ()
    """Scale sets by name, or by resource id if they are in another resource group."""
    tags: Annotated[dict[TagName, TagText], Field(default_factory=dict, max_length=10)]
    """Scale sets and machines that have all of these Azure tags; none when empty."""


class Ring(Value):
    """An ordered part of a version's audience; a healthy version is promoted to the next ring."""

    name: RingName
    """The ring's name."""
    regions: Annotated[tuple[Region, ...], Field(max_length=100)] = ()
    """The regions of its machines; every region of the image when empty."""
    audience: Audience = Field(default_factory=lambda: Audience(tags={}))
    """Its scale sets and machines."""
    soak_hours: Annotated[int, Field(ge=0, le=8760)] = 24
    """How many hours a version must stay healthy here before the next ring gets it."""
    proof: bool = True
    """Whether a version needs a passed offline proof to enter."""
    heartbeat: bool = False
    """Whether a version needs a good heartbeat in the previous ring to enter."""
    max_unavailable_percent: Percent = 20
    """The share of a scale set that may be down during its upgrade."""
    at_once: Annotated[int, Field(ge=1, le=1000)] = 10
    """How many scale sets are upgraded in parallel."""
    error_budget: Annotated[int, Field(ge=0, le=1000)] = 0
    """How many scale sets may fail to upgrade before the ring stops."""


class Retirement(Value):
    """When versions are hidden, and later deleted."""

    keep: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many good versions are kept, whatever their age."""
    minimum_age_days: Annotated[int, Field(ge=1, le=3650)] = 14
    """Versions younger than this many days are kept."""
    grace_days: Annotated[int, Field(ge=1, le=3650)] = 7
    """How many days a version is hidden before it is deleted."""
    most_per_run: Annotated[int, Field(ge=1, le=1000)] = 10
    """The most versions that one run deletes."""


def require_known_regions(rings: tuple[Ring, ...], known: set[str]) -> tuple[Ring, ...]:
    """Return *rings*; raises `ValueError` where one is in a region outside *known*."""
    for ring in rings:
        if known and (strange := sorted(set(ring.regions) - known)):
            raise ValueError(
                f"the ring {ring.name!r} is in {strange[0]!r}, which is none of the image's"
                f" regions: {', '.join(sorted(known))}"
            )
    return rings
