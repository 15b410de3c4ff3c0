"""How versions reach machines, and how they leave: rings and retirement, as a spec says them."""

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
"""What a ring is called: `canary`."""

Percent = Annotated[int, Field(ge=1, le=100)]
"""A share of a scale set's instances."""


class Audience(Value):
    """Which scale sets and machines belong to a ring; either way of naming them is enough."""

    scale_sets: Annotated[tuple[Text, ...], Field(max_length=2000)] = ()
    """Scale sets by name, or by resource id where they are in another resource group."""
    tags: Annotated[dict[TagName, TagText], Field(default_factory=dict, max_length=10)]
    """Scale sets and machines that have all of these Azure tags; none when empty."""


class Ring(Value):
    """An ordered part of a version's audience: what is good here goes on to the next."""

    name: RingName
    """What the ring is called."""
    regions: Annotated[tuple[Region, ...], Field(max_length=100)] = ()
    """Where its machines are; every region of the image when empty."""
    audience: Audience = Field(default_factory=lambda: Audience(tags={}))
    """Its scale sets and machines."""
    soak_hours: Annotated[int, Field(ge=0, le=8760)] = 24
    """So long a version stays here, and good, before the next ring gets it."""
    proof: bool = True
    """Whether a version needs a passed offline proof to come here."""
    heartbeat: bool = False
    """Whether a version needs a good heartbeat from the ring before to come here."""
    max_unavailable_percent: Percent = 20
    """So much of a scale set may be down while it is upgraded."""
    at_once: Annotated[int, Field(ge=1, le=1000)] = 10
    """So many scale sets are upgraded side by side."""
    error_budget: Annotated[int, Field(ge=0, le=1000)] = 0
    """So many scale sets may fail to upgrade before the ring is stopped."""


class Retirement(Value):
    """When versions may go: first to their end of life, later for good."""

    keep: Annotated[int, Field(ge=1, le=1000)] = 3
    """So many good versions stay, whatever their age."""
    minimum_age_days: Annotated[int, Field(ge=1, le=3650)] = 14
    """Nothing younger goes."""
    grace_days: Annotated[int, Field(ge=1, le=3650)] = 7
    """So long a version is hidden before it is deleted."""
    most_per_run: Annotated[int, Field(ge=1, le=1000)] = 10
    """No run deletes more."""


def within(rings: tuple[Ring, ...], known: set[str]) -> tuple[Ring, ...]:
    """Give *rings* back; `ValueError` where one is in a region that is none of *known*."""
    for ring in rings:
        if known and (strange := sorted(set(ring.regions) - known)):
            raise ValueError(
                f"the ring {ring.name!r} is in {strange[0]!r}, which is none of the image's"
                f" regions: {', '.join(sorted(known))}"
            )
    return rings
