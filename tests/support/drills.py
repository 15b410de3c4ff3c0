"""Drills that nobody carried out, for tests of what is made of their records."""

from __future__ import annotations

import datetime as dt
from typing import Any

from imagebake.azure.model.machine import ExtensionRequest
from imagebake.drill.model import (
    GOLDEN,
    IDENTITY,
    PLAIN,
    STORE,
    DrillImage,
    DrillPhase,
    DrillPlan,
    DrillRecord,
    FirstFailure,
    ProvisioningAttempt,
    ServiceTraffic,
    Timeline,
)
from imagebake.lab.faults import StoreState
from imagebake.spec.model.options import Objectives

BEGAN = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
NOT_DOWNLOADED = "Failed to fetch manifest from all sources"

HELLO = ExtensionRequest(name="Hello", publisher="Contoso.Demo", type="Hello", version="1.2")


def a_timeline() -> Timeline:
    """An hour of calm, two of outage, one of calm."""
    return Timeline(
        title="A short outage",
        origin=dt.datetime(2026, 2, 2, 17, 0, tzinfo=dt.UTC),
        phases=(
            DrillPhase(name="Calm", start=0),
            DrillPhase(
                name="Packages cannot be read", start=60, store=StoreState.PUBLIC_ACCESS_DENIED
            ),
            DrillPhase(name="Recovered", start=180),
        ),
        demands=(10, 90, 150, 200),
        end=240,
    )


def a_plan(**changes: Any) -> DrillPlan:  # noqa: ANN401 - any field
    """A plan for `a_timeline`, a second an hour."""
    fields: dict[str, Any] = {
        "image": "demo",
        "candidates": (
            DrillImage(label=GOLDEN, version_id="/versions/1.0.0", version="1.0.0"),
            DrillImage(
                label=PLAIN, version_id="/versions/1.0.1", version="1.0.1", extensions=(HELLO,)
            ),
        ),
        "timeline": a_timeline(),
        "minutes_per_second": 60.0,
        "objectives": Objectives(),
    }
    return DrillPlan(**(fields | changes))


def an_attempt(
    label: str,
    minute: float,
    seconds: float | None = 4.0,
    **changes: Any,  # noqa: ANN401 - any field of the dataclass
) -> ProvisioningAttempt:
    """A machine that became Ready, or with *seconds* None failed as in an outage."""
    fields: dict[str, Any] = {
        "label": label,
        "name": f"drill-{label}-{minute:g}",
        "minute": minute,
        "seconds": seconds,
        "downloads": 0 if label == GOLDEN else 3,
    }
    if seconds is None:
        fields |= {"code": "VMExtensionHandlerNonTransientError", "message": NOT_DOWNLOADED}
    return ProvisioningAttempt(**(fields | changes))


def a_record(*attempts: ProvisioningAttempt, **changes: Any) -> DrillRecord:  # noqa: ANN401 - any field
    """A drill that went as it should, unless *attempts* are given."""
    usual = (
        *(an_attempt(GOLDEN, minute, 3.0 + minute / 100) for minute in (10, 90, 150, 200)),
        an_attempt(PLAIN, 10, 8.5),
        an_attempt(PLAIN, 90, None),
        an_attempt(PLAIN, 150, None),
        an_attempt(PLAIN, 200, 9.0),
    )
    fields: dict[str, Any] = {
        "plan": a_plan(),
        "began": BEGAN,
        "attempts": attempts or usual,
        "traffic": (
            ServiceTraffic(label=PLAIN, service=STORE, by_minute={11: 2, 91: 4, 151: 4, 201: 2}),
            ServiceTraffic(label=PLAIN, service=IDENTITY, by_minute={12: 1, 202: 1}),
            ServiceTraffic(label=GOLDEN, service=STORE, by_minute={}),
            ServiceTraffic(label=GOLDEN, service=IDENTITY, by_minute={}),
        ),
        "witness": FirstFailure(
            name="drill-plain-90", minute=90, healed=False, message=NOT_DOWNLOADED
        ),
    }
    return DrillRecord(**(fields | changes))
