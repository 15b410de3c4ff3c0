"""Faults that can be injected under local machines, and the requests they made meanwhile."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass


class StoreState(enum.StrEnum):
    """How the extension store answers."""

    UP = "up"
    FORBIDDEN = "403"
    PUBLIC_ACCESS_DENIED = "409"
    BLACK_HOLE = "black-hole"


class IdentityState(enum.StrEnum):
    """How the managed-identity service answers."""

    UP = "none"
    THROTTLED = "429"
    BROKEN = "500"


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """One request to the `store` or to the `identity` service; *status* 0 means no answer."""

    time: dt.datetime
    service: str
    machine: str
    status: int
