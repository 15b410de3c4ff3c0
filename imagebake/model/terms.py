"""What a spec asks of its image's first boots, and of the machines that are made of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imagebake.model.texts import CommandLine
from imagebake.model.values import Value


class ProofTerms(Value):
    """What the offline proof asks of the image beyond the laws that hold for all."""

    budget_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """After this many seconds a first boot must be Ready, whatever is down."""


class HeartbeatTerms(Value):
    """What a heartbeat asks of a machine that was just made from the image."""

    script: Annotated[tuple[CommandLine, ...], Field(max_length=50)] = ()
    """Lines that the machine runs as its root once it is up; the first that fails is a miss."""
    timeout_seconds: Annotated[int, Field(ge=30, le=7200)] = 900
    """So long everything may take, from asking for the machine to the end of the script."""
    plain: bool = False
    """Whether a machine without imagebake's part is made beside it, to tell whose fault it is."""
    misses: Annotated[int, Field(ge=1, le=20)] = 1
    """So many in a row open an incident, which stops promotions."""
