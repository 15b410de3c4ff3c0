"""Reports from the records of heartbeats: history, silence and metrics."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from imagebake.heartbeat import records as pulse
from imagebake.heartbeat.history import COLUMNS, region_statistics
from imagebake.heartbeat.metrics import render_open_metrics
from imagebake.heartbeat.model import Beat
from imagebake.heartbeat.records import BeatRecords, BeatSummary, garbage_collection_paused
from imagebake.heartbeat.verdict import (
    Incident,
    find_incidents,
    find_silences,
    judge_beats,
    ring_health,
)
from imagebake.kernel.console import print_json, print_table, print_text
from imagebake.kernel.context import Context
from imagebake.kernel.errors import HeartbeatMissed, UsageError
from imagebake.kernel.host.files import write_atomically
from imagebake.kernel.host.process_identity import current_process
from imagebake.rollout.promote import Heartbeats
from imagebake.spec.model.image_spec import ImageSpec

RECENT = dt.timedelta(days=30)
"""How far back incidents and the last beats of a version are looked for."""


def records(context: Context) -> BeatRecords:
    """The records of this state directory."""
    host = current_process().host.replace("/", "-").strip(".-")
    unmarked = current_process().host.endswith("/")
    name = f"{host}-{secrets.token_hex(4)}" if unmarked else host
    return BeatRecords(folder=context.workspace.heartbeats, host=name)


def load_recent(context: Context, specs: Iterable[ImageSpec]) -> list[Beat]:
    """Return the recent beats of *specs*."""
    names = {spec.name for spec in specs}
    return [beat for beat in records(context).load(context.now - RECENT) if beat.image in names]


def load_pulses(
    context: Context, specs: Iterable[ImageSpec], since: dt.datetime
) -> list[BeatSummary]:
    """Return digests of the beats of *specs* from *since* on."""
    names = {spec.name for spec in specs}
    every = pulse.load_summaries(records(context), context.workspace.pulses, since)
    return [pulse for pulse in every if pulse.image in names]


def incidents_of(context: Context, specs: Sequence[ImageSpec]) -> list[Incident]:
    """Return the incidents in the records of *specs*."""
    misses = {spec.name: spec.heartbeat.misses for spec in specs}
    return find_incidents(judge_beats(load_pulses(context, specs, context.now - RECENT)), misses)


def read_heartbeats(context: Context, spec: ImageSpec) -> Heartbeats | None:
    """Return the last heartbeats for a rollout of *spec*; None where no ring asks for any."""
    if not any(ring.heartbeat for ring in spec.rollout_rings):
        return None
    return ring_health(load_recent(context, [spec]))


def print_history(
    context: Context, specs: Sequence[ImageSpec], *, days: str, as_json: bool
) -> None:
    """Print the figures of each region, and the incidents."""
    since = context.now - dt.timedelta(days=_number("--days", days))
    ages = {spec.name: spec.objectives.age_days for spec in specs}
    with garbage_collection_paused():
        beats = load_pulses(context, specs, since)
        figures = region_statistics(beats, now=context.now, objectives=ages)
        found = find_incidents(
            judge_beats(beats), {spec.name: spec.heartbeat.misses for spec in specs}
        )
    if as_json:
        print_json(
            {
                "figures": [region.to_json() for region in figures],
                "incidents": [incident.to_json() for incident in found],
            }
        )
        return
    if not figures:
        context.progress.note(
            f"no beats in {context.workspace.shown(context.workspace.heartbeats)} yet"
        )
    print_table(COLUMNS, (region.cells for region in figures))
    for incident in found:
        until = f"until {incident.closed:%Y-%m-%d %H:%M}" if incident.closed else "still open"
        where = f"{incident.image} in {incident.region}"
        print_text(f"incident: {where} since {incident.text} ({until})")


def refuse_silence(
    context: Context, specs: Sequence[ImageSpec], wanted: set[str] | None, *, hours: str
) -> None:
    """Raise `HeartbeatMissed` where the last good beat is older than *hours*."""
    limit = _number("--silence-hours", hours)
    where = sorted(
        {
            (spec.name, region)
            for spec in specs
            for ring in spec.rollout_rings
            for region in ring.regions
            if wanted is None or region in wanted
        }
    )
    beats = load_pulses(context, specs, context.now - max(RECENT, dt.timedelta(hours=2 * limit)))
    silent = find_silences(beats, where, now=context.now, hours=limit)
    if not silent:
        return
    more = f" (and {len(silent) - 1} more)" if len(silent) > 1 else ""
    raise HeartbeatMissed(
        silent[0].sentence(context.now) + more,
        hint=f"./inv heartbeat {silent[0].image} --region {silent[0].region}",
    )


def write_metrics(context: Context, specs: Sequence[ImageSpec], path: str) -> None:
    """Write beats, statistics and incidents as OpenMetrics."""
    beats = load_recent(context, specs)
    ages = {spec.name: spec.objectives.age_days for spec in specs}
    figures = region_statistics(beats, now=context.now, objectives=ages)
    text = render_open_metrics(beats, figures, incidents_of(context, specs))
    write_atomically(Path(path), text.encode())
    context.progress.note(f"wrote {path}")


def _number(option: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 100_000:  # noqa: PLR2004 - eleven years of hours are enough
        raise UsageError(f"{option} is {text!r}", hint="a number above zero")
    return value
