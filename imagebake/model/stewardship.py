"""What every pin says about its own life."""

from __future__ import annotations

from imagebake.model.adoption import Adoption
from imagebake.model.texts import Day, Owner, Text
from imagebake.model.values import Value


class Stewardship(Value):
    """Who answers for a pin, why it is where it is, and when to look again."""

    owner: Owner | None = None
    """Who answers for this pin; the spec's owner when absent."""
    reason: Text | None = None
    """Why this version, where that is not obvious."""
    review_by: Day | None = None
    """The day by which somebody looks at this pin again."""
    hold: Text | None = None
    """Why this pin must stay at its version; `bump` leaves it alone."""
    adoption: Adoption | None = None
    """When a newer version of it may be adopted, where that differs from the spec's."""


STEWARDSHIP = frozenset({*Stewardship.model_fields, "source"})
"""What a pin says about its own life: no change of it makes a lock stale."""
