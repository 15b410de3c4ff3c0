"""Dashboards with sensible defaults: a quiet one, one of a bad day, and very many images."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from imagebake.dashboard.model import (
    BakeSummary,
    Dashboard,
    GateSummary,
    ImageSummary,
    IncidentSummary,
    MissingPart,
    QuotaSummary,
    RegionSummary,
    RingSummary,
    RolloutSummary,
    RunbookSummary,
)
from imagebake.heartbeat.history import BUCKETS, RegionStatistics, TimeBucket
from imagebake.heartbeat.model import GOLDEN, PLAIN

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
REGIONS = ("westeurope", "northeurope", "swedencentral")
MANY_REGIONS = (
    *REGIONS, "eastus", "eastus2", "westus3", "uksouth", "italynorth", "japaneast", "canadaeast",
)  # fmt: skip
HELLO = "handler Microsoft.Azure.Extensions.CustomScript"
REFUSED = "handler Microsoft.Azure.Extensions.CustomScript: VMExtensionProvisioningError"
STORE = "umsa7k2.blob.storage.azure.test"


def ago(**units: float) -> dt.datetime:
    """So long before now."""
    return NOW - dt.timedelta(**units)


def a_ring(name: str = "broad", **changes: Any) -> RingSummary:  # noqa: ANN401 - any field
    """A ring of three regions whose version is proved and twelve days old."""
    fields: dict[str, Any] = {
        "name": name,
        "current": "2026.1110.0",
        "previous": "2026.1027.1",
        "since": ago(days=9),
        "age_days": 12.2,
        "proof": "passed",
        "flaw": "",
        "held": "",
        "replicas": (3, 3),
        "scale_sets": (4, 4),
        "users": 61,
        "upcoming": "",
    }
    return RingSummary(**(fields | changes))


def an_image(name: str = "debian-12-base", **changes: Any) -> ImageSummary:  # noqa: ANN401
    """An image with three rings, the first of which is ahead."""
    newest = {"current": "2026.1120.0", "previous": "2026.1110.0", "age_days": 2.1}
    fields: dict[str, Any] = {
        "name": name,
        "description": "Debian 12 with the agents of every machine",
        "owner": "platform@example.test",
        "age_objective": 30,
        "rings": (
            a_ring("canary", **newest, since=ago(days=2), scale_sets=(1, 1), users=3),
            a_ring("early", upcoming="2026.1120.0: soaks in canary until 11-23 10:00", users=12),
            a_ring("broad"),
        ),
    }
    return ImageSummary(**(fields | changes))


def slots(*bad: int, base: float = 24.0, empty: int = 0) -> tuple[TimeBucket, ...]:
    """A month of half days; those numbered *bad* have misses, the first *empty* no beats."""
    made = []
    for number in range(BUCKETS):
        p50 = round(base + (number * 7919 % 13) / 2 + (6 if number in bad else 0), 1)
        missed = 5 if number in bad else 0
        made.append(
            TimeBucket() if number < empty else TimeBucket(beats=48, missed=missed, p50=p50)
        )
    return tuple(made)


def a_region(region: str = "westeurope", *bad: int, **changes: Any) -> RegionSummary:  # noqa: ANN401
    """A region of a month of beats."""
    image = changes.pop("image", "debian-12-base")
    label = changes.pop("label", GOLDEN)
    told = slots(*bad, base=changes.pop("base", 24.0), empty=changes.pop("empty", 0))
    failed = sum(one.missed for one in told)
    missing = bool(bad) and max(bad) == BUCKETS - 1
    fields: dict[str, Any] = {
        "image": image,
        "region": region,
        "label": label,
        "beats": sum(one.beats for one in told),
        "failed": failed,
        "last": ago(minutes=9),
        "last_good": ago(hours=4) if missing else ago(minutes=9),
        "version": "2026.1110.0",
        "p50": 26.5,
        "p95": 29.8,
        "trend": 0.01,
        "age_days": 12.2,
        "age_objective": 30,
        "last_failure": f"11-22 11:51 {REFUSED}" if failed else "",
    }
    return RegionSummary(
        image=image,
        region=region,
        label=label,
        figures=RegionStatistics(**(fields | changes)),
        slots=told,
    )


def an_incident(**changes: Any) -> IncidentSummary:  # noqa: ANN401 - any field
    """The extension store cannot be read."""
    fields: dict[str, Any] = {
        "image": "debian-12-base",
        "region": "westeurope",
        "cause": "platform",
        "sentence": (
            f"the platform is sick: {HELLO} failed at {STORE}: VMExtensionProvisioningError"
        ),
        "phase": HELLO,
        "host": STORE,
        "code": "VMExtensionProvisioningError",
        "message": "Failed to fetch the manifest: HTTP 409, public access is not permitted",
        "began": ago(hours=4),
        "opened": ago(hours=3, minutes=45),
        "closed": None,
        "misses": 16,
        "stopped": ("Promote debian-12-base@2026.1120.0 to ring early",),
    }
    return IncidentSummary(**(fields | changes))


def a_move(**changes: Any) -> RolloutSummary:  # noqa: ANN401 - any field
    """A promotion that was carried out."""
    fields: dict[str, Any] = {
        "image": "debian-12-base",
        "verb": "promotion",
        "title": "Promote debian-12-base@2026.1120.0 to ring canary",
        "began": ago(days=2),
        "seconds": 412.0,
        "steps": 6,
        "failed": 0,
        "calls": 38,
    }
    return RolloutSummary(**(fields | changes))


def a_dashboard(**changes: Any) -> Dashboard:  # noqa: ANN401 - any field
    """A quiet day: everything is well."""
    fields: dict[str, Any] = {
        "at": NOW,
        "gallery": "imagebake",
        "cloud": "azure",
        "seen": ago(seconds=20),
        "gate": GateSummary(state="open"),
        "images": (an_image(),),
        "regions": tuple(map(a_region, REGIONS)),
        "incidents": (),
        "moves": (a_move(),),
        "bakes": (
            BakeSummary(image="debian-12-base", begun=ago(days=2, hours=1), outcome="baked"),
        ),
        "runbooks": RUNBOOKS,
        "quotas": (
            QuotaSummary(kind="versions", used=412, limit=10_000, warns=False),
            QuotaSummary(kind="definitions", used=6, limit=1_000, warns=False),
            QuotaSummary(kind="galleries", used=2, limit=100, warns=False),
            QuotaSummary(kind="replicas", used=9, limit=100, warns=False, where=_VERSION),
        ),
    }
    return Dashboard(**(fields | changes))


_VERSION = "/subscriptions/0/resourceGroups/i/images/debian-12-base/versions/2026.1110.0"
_PAGE = "31.2 s of 30 min, on 2026-11-22, Linux x86_64, 2 cores"
RUNBOOKS = (
    RunbookSummary(
        name="bad-image", title="An image is bad", objective_seconds=900.0, page=_PAGE,
        rehearsed=ago(days=3), seconds=41.7,
    ),
    RunbookSummary(
        name="extension-store-unreadable", title="The extension store cannot be read",
        objective_seconds=1800.0, page=_PAGE, rehearsed=ago(hours=3), seconds=212.0,
    ),
    RunbookSummary(
        name="region-lost", title="A region is gone", objective_seconds=3600.0, page=_PAGE
    ),
)  # fmt: skip


def a_bad_day() -> Dashboard:
    """The store cannot be read in one region; another image is sick, and a third too old."""
    refused = "incident: heartbeats fail in westeurope since 2026-11-22T08:00:00Z"
    web = an_image(
        "ubuntu-2404-web",
        description="Ubuntu 24.04 that serves the shops",
        owner="shop@example.test",
        rings=(a_ring("broad", current="2026.1001.2", previous=None, age_days=52.0, users=240),),
    )
    quiet = a_dashboard()
    return replace(
        quiet,
        gate=GateSummary(state="closed", why=refused),
        images=(*quiet.images, web),
        regions=(
            a_region("northeurope", 20),
            a_region("swedencentral", 59, base=31.0, p50=34.0, p95=39.9, trend=0.18),
            a_region("westeurope", 58, 59, trend=0.07),
            a_region("westeurope", 58, 59, label=PLAIN, base=33.0, p50=36.0, p95=44.1),
            a_region("northeurope", image="ubuntu-2404-web", empty=22, trend=-0.09),
            RegionSummary(image="ubuntu-2404-web", region="westeurope", label=GOLDEN),
        ),
        incidents=(
            an_incident(),
            an_incident(
                region="swedencentral", cause="image", phase="script", host="", code="ExitStatus1",
                sentence="debian-12-base@2026.1110.0 is sick: script failed: ExitStatus1",
                message="systemctl is-system-running: degraded", began=ago(minutes=9),
                opened=ago(minutes=9), misses=1, stopped=(),
            ),
            an_incident(
                region="northeurope", began=ago(days=20), opened=ago(days=20),
                closed=ago(days=19, hours=18), misses=24, stopped=(),
            ),
        ),
        moves=(
            a_move(
                title="Promote debian-12-base@2026.1120.0 to ring early", began=ago(hours=1),
                seconds=3600.0, steps=6, calls=None, refused=refused, times=2,
            ),
            a_move(
                verb="rollback", title="Roll back ubuntu-2404-web",
                image="ubuntu-2404-web", began=ago(days=1), seconds=184.0, steps=14, calls=120,
                objective_seconds=600.0, objective_met=True,
            ),
            a_move(failed=1),
            a_move(
                title="Retire versions of gallery imagebake", image="several images",
                began=ago(days=6), stopped="the versions of debian-12-base changed meanwhile",
            ),
        ),
        runbooks=(
            *RUNBOOKS,
            replace(RUNBOOKS[0], name="mirror-lost", title="The mirror is lost", seconds=3800.0,
                    why="it took 63 min, and the objective is 15 min"),
        ),
        quotas=(replace(quiet.quotas[0], used=7_420, warns=True), *quiet.quotas[1:]),
    )  # fmt: skip


def many_images(count: int = 30) -> Dashboard:
    """*count* images in ten regions each, some of which miss."""
    names = [f"image-{number:02}-with-a-name" for number in range(count)]
    return a_dashboard(
        images=tuple(
            an_image(name, age_objective=30 if name < "image-28" else 9) for name in names
        ),
        regions=tuple(
            a_region(region, *([50] if number % 9 == 0 and place == 3 else []), image=name)
            for number, name in enumerate(names)
            for place, region in enumerate(MANY_REGIONS)
        ),
    )


def nothing_yet() -> Dashboard:
    """A fresh clone: no gallery, no records."""
    return a_dashboard(
        cloud="local",
        seen=None,
        gate=GateSummary(state="unknown", why="the health source could not be read"),
        images=(an_image(rings=None),),
        regions=(RegionSummary(image="debian-12-base", region="westeurope", label=GOLDEN),),
        moves=(),
        bakes=(),
        runbooks=RUNBOOKS[2:],
        quotas=(),
        gaps=(
            MissingPart(
                part="gallery", why="there is no gallery 'imagebake' yet; ./inv bake --all"
            ),
            MissingPart(part="beats", why="no beats in .imagebake/heartbeats for 30 days"),
        ),
    )


def out_of_reach() -> Dashboard:
    """Azure does not answer; what it said a day ago is shown."""
    why = "cannot read gallery 'imagebake': could not get a token"
    return replace(
        a_dashboard(),
        seen=ago(days=1),
        gate=GateSummary(state="unknown", why="the health source could not be read"),
        gaps=(MissingPart(part="gallery", why=why, seen=ago(days=1)),),
    )


HOSTILE = '"><script>alert(1)</script><img src=x onerror="alert(2)">\'; --x: url(//evil.test/'
LONG = "w" * 300


def hostile(bad: str = HOSTILE + LONG) -> Dashboard:
    """A bad day on which *bad* stands in every field that holds a text."""
    day = a_bad_day()
    ring = a_ring(bad, current=bad, previous=bad, proof=bad, flaw=bad, upcoming=bad)
    told: dict[str, Any] = {"region": bad, "last_failure": bad, "version": bad}
    return replace(
        day,
        gallery=bad,
        cloud=bad,
        gate=GateSummary(state=bad, why=bad, until=NOW, owner=bad),
        images=(an_image(bad, description=bad, owner=bad, rings=(ring,)),),
        regions=(a_region(image=bad, label=bad, **told), a_region(image=bad, region=bad)),
        incidents=(
            an_incident(
                image=bad, region=bad, cause=bad, sentence=bad, phase=bad, host=bad, code=bad,
                message=bad, stopped=(bad,),
            ),
        ),
        moves=(a_move(image=bad, title=bad, stopped=bad), a_move(title=bad, refused=bad)),
        bakes=(BakeSummary(image=bad, begun=NOW, outcome=bad),),
        runbooks=(replace(RUNBOOKS[0], name=bad, title=bad, page=bad, why=bad),),
        quotas=(QuotaSummary(kind=bad, used=1, limit=2, warns=True, where=f"/images/{bad}"),),
        gaps=(MissingPart(part=bad, why=bad, seen=NOW),),
        remarks=(bad,),
    )  # fmt: skip
