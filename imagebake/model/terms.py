"""What a spec asks of its image's first boots."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imagebake.model.values import Value


class ProofTerms(Value):
    """What the offline proof asks of the image beyond the laws that hold for all."""

    budget_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """After this many seconds a first boot must be Ready, whatever is down."""
