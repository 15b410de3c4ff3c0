"""What can be broken under machines, and what they asked of it meanwhile."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass


class StoreState(enum.StrEnum):
    """What the store of extension packages does to whoever asks it."""

    UP = "up"
    FORBIDDEN = "403"
    PUBLIC_ACCESS_DENIED = "409"
    BLACK_HOLE = "black-hole"


class IdentityState(enum.StrEnum):
    """What the managed-identity service does instead of handing out a token."""

    UP = "none"
    THROTTLED = "429"
    BROKEN = "500"


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """One request to the `store` or to the `identity` service; *status* 0 is no answer."""

    time: dt.datetime
    service: str
    machine: str
    status: int
