"""Collect the dashboard's data from the gallery, as far as it is readable, and local records."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.inventory_file import inventory_json, read_inventory
from imagebake.dashboard.history import MOVES, SEVERAL_IMAGES, bakes, moves, runbooks_seen
from imagebake.dashboard.model import (
    Dashboard,
    GateSummary,
    ImageSummary,
    IncidentSummary,
    MissingPart,
    QuotaSummary,
    RegionSummary,
    RingSummary,
    RolloutSummary,
)
from imagebake.heartbeat.history import DAYS, RegionStatistics, region_statistics, time_buckets
from imagebake.heartbeat.history_report import load_pulses
from imagebake.heartbeat.model import GOLDEN
from imagebake.heartbeat.records import garbage_collection_paused
from imagebake.heartbeat.verdict import Incident, find_incidents, judge_beats
from imagebake.kernel.context import Context
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import CloudError, SpecError, UsageError
from imagebake.kernel.host.files import write_atomically
from imagebake.rollout.freezes import RolloutGate, evaluate_gate
from imagebake.rollout.operation import SECOND, RolloutContext, read_status
from imagebake.rollout.quota import Quota, quotas
from imagebake.rollout.status import RingStatus, status
from imagebake.rollout.undeclared_extensions import find_undeclared, undeclared_note
from imagebake.spec.model.image_spec import ImageSpec

Reach = Callable[[Context], AbstractContextManager[RolloutContext]]
"""Opens the rollout context of a gallery."""
GALLERY, BEATS = "gallery", "beats"
"""Parts that may be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryState:
    """State of the gallery; *seen* is when it was read, None where it never was."""

    rows: tuple[RingStatus, ...] = ()
    quotas: tuple[Quota, ...] = ()
    gate: RolloutGate
    seen: dt.datetime | None = None
    gaps: tuple[MissingPart, ...] = ()
    remarks: tuple[str, ...] = ()


def overview(context: Context, specs: Sequence[ImageSpec], *, reach: Reach) -> Dashboard:
    """Collect everything about *specs*; an unreadable source is a gap and no error."""
    there = _standing(context, specs, reach)
    past = moves(context, specs, context.now - dt.timedelta(days=DAYS))
    with garbage_collection_paused():
        regions, found, gaps = _beats(context, specs, past)
    return Dashboard(
        at=context.now.replace(microsecond=0),
        gallery=_gallery(context),
        cloud=context.settings.cloud,
        seen=there.seen,
        gate=_gate_seen(there.gate),
        images=tuple(_image(spec, there) for spec in specs),
        regions=regions,
        incidents=found,
        moves=past[:MOVES],
        bakes=bakes(context),
        runbooks=runbooks_seen(context),
        quotas=tuple(map(_quota, there.quotas)),
        gaps=(*there.gaps, *gaps),
        remarks=there.remarks,
    )


def _standing(context: Context, specs: Sequence[ImageSpec], reach: Reach) -> GalleryState:
    """Read the gallery, or fall back to the last inventory that was read."""
    path = context.workspace.state / "seen" / f"{context.settings.cloud}-{_gallery(context)}.json"
    try:
        with reach(context) as at:
            inventory = at.inventory()
            closed = at.gate(specs)
            rows = tuple(read_status(at, specs, inventory))
    except (CloudError, UsageError) as error:
        why = f"{error.message}; {error.hint}" if error.hint else error.message
        return _remembered(context, specs, path, why)
    with contextlib.suppress(OSError):  # the page matters more than what it says next time
        write_atomically(path, canonical_json(inventory_json(inventory)), durable=False)
    return GalleryState(
        rows=rows,
        quotas=quotas(inventory),
        gate=closed,
        seen=inventory.at,
        gaps=tuple(MissingPart(part=GALLERY, why=why) for why in inventory.unread),
        remarks=tuple(filter(None, [undeclared_note(find_undeclared(specs, inventory, {}))])),
    )


def _remembered(context: Context, specs: Iterable[ImageSpec], path: Path, why: str) -> GalleryState:
    """Return the state of the last inventory; the state of the gate is unknown then."""
    gate = evaluate_gate(context.settings.freezes, None, context.now)
    last = _last_inventory(path)
    if last is None:
        return GalleryState(gate=gate, gaps=(MissingPart(part=GALLERY, why=why),))
    return GalleryState(
        rows=tuple(row for spec in specs for row in status(spec, last, context.now)),
        quotas=quotas(last),
        gate=gate,
        seen=last.at,
        gaps=(MissingPart(part=GALLERY, why=why, seen=last.at),),
    )


def _last_inventory(path: Path) -> Inventory | None:
    try:
        return read_inventory(path.read_text(encoding="utf-8"), path=path.name)
    except (OSError, UnicodeDecodeError, SpecError):
        return None


def _gallery(context: Context) -> str:
    """The name of the gallery that is in use."""
    settings = context.settings
    return settings.second_gallery if settings.in_use == SECOND else settings.gallery


def _gate_seen(gate: RolloutGate) -> GateSummary:
    return GateSummary(state=gate.state.value, why=gate.why, until=gate.until, owner=gate.owner)


def _quota(quota: Quota) -> QuotaSummary:
    return QuotaSummary(
        kind=quota.kind, used=quota.used, limit=quota.limit, warns=quota.warns, where=quota.where
    )


def _image(spec: ImageSpec, there: GalleryState) -> ImageSummary:
    mine = tuple(_ring(row) for row in there.rows if row.image == spec.name)
    return ImageSummary(
        name=spec.name,
        description=spec.description,
        owner=spec.owner,
        age_objective=spec.objectives.age_days,
        rings=mine if there.seen else None,
    )


def _ring(row: RingStatus) -> RingSummary:
    fields: dict[str, Any] = row.to_json()
    return RingSummary(
        name=row.ring,
        current=fields["current"],
        previous=fields["previous"],
        since=row.since,
        age_days=round(row.age.total_seconds() / 86400, 2) if row.age else None,
        proof=(fields["proof"] or "none").partition(" ")[0],
        flaw=row.flaw,
        held=row.held,
        replicas=row.replicas,
        scale_sets=(row.moved, row.members),
        users=row.users,
        upcoming=row.upcoming,
    )


def _beats(
    context: Context, specs: Sequence[ImageSpec], past: Iterable[RolloutSummary]
) -> tuple[tuple[RegionSummary, ...], tuple[IncidentSummary, ...], tuple[MissingPart, ...]]:
    """The figures and pictures of every region that is or was beaten, and the incidents."""
    pulses = load_pulses(context, specs, context.now - dt.timedelta(days=DAYS))
    ages = {spec.name: spec.objectives.age_days for spec in specs}
    statistics = region_statistics(pulses, now=context.now, objectives=ages)
    drawn = time_buckets(pulses, now=context.now)
    regions = [
        RegionSummary(
            image=image, region=region, label=label, figures=region_figures, slots=drawn[who]
        )
        for region_figures in statistics
        for who in [(region_figures.image, region_figures.region, region_figures.label)]
        for image, region, label in [who]
        if who in drawn
    ]
    regions += _silent(specs, statistics)
    misses = {spec.name: spec.heartbeat.misses for spec in specs}
    found = find_incidents(judge_beats(pulses), misses)
    why = f"no beats in {context.workspace.shown(context.workspace.heartbeats)} for {DAYS} days"
    return (
        tuple(sorted(regions, key=lambda region: (region.image, region.region, region.label))),
        tuple(_incident(incident, past) for incident in reversed(found)),
        () if pulses else (MissingPart(part=BEATS, why=why),),
    )


def _silent(
    specs: Iterable[ImageSpec], statistics: Iterable[RegionStatistics]
) -> Iterator[RegionSummary]:
    """Yield the regions of rings that have no heartbeat."""
    heard = {(figures.image, figures.region) for figures in statistics}
    for spec in specs:
        for region in sorted({name for ring in spec.rollout_rings for name in ring.regions}):
            if (spec.name, region) not in heard:
                yield RegionSummary(image=spec.name, region=region, label=GOLDEN)


def _incident(incident: Incident, past: Iterable[RolloutSummary]) -> IncidentSummary:
    failed = incident.last.failure
    return IncidentSummary(
        image=incident.image,
        region=incident.region,
        cause=incident.last.cause.value,
        sentence=incident.last.sentence,
        phase=failed.name if failed else "",
        host=failed.host if failed else "",
        code=failed.code if failed else "",
        message=failed.message if failed else "",
        began=incident.first.at,
        opened=incident.opened,
        closed=incident.closed,
        misses=incident.misses,
        stopped=tuple(dict.fromkeys(move.title for move in past if _stopped_by(move, incident))),
    )


def _stopped_by(move: RolloutSummary, incident: Incident) -> bool:
    """Whether *move* was refused because of the incident, while that was open."""
    opened = incident.opened.replace(microsecond=0)  # records are of whole seconds
    during = move.began >= opened and (incident.closed is None or move.began <= incident.closed)
    its = move.image in (incident.image, SEVERAL_IMAGES) and incident.region in move.refused
    return bool(move.refused) and during and its
