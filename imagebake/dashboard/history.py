"""History of rollouts, bakes and rehearsals from local records."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from imagebake.build.journal import BakeJournal
from imagebake.dashboard.model import BakeSummary, RolloutSummary, RunbookSummary
from imagebake.kernel.context import Context
from imagebake.lock import artifact_sources
from imagebake.recovery.runbook import Runbook, last_rehearsal, load_runbooks
from imagebake.rollout.refusal_log import REFUSED, SEVERAL
from imagebake.spec.model.image_spec import ImageSpec

SEVERAL_IMAGES = "several images"
MOVES, BAKES = 20, 10
"""Newest rollouts and bakes that are shown."""


def moves(
    context: Context, specs: Iterable[ImageSpec], since: dt.datetime
) -> tuple[RolloutSummary, ...]:
    """Return the last rollouts of *specs*, and all refused ones from *since* on, newest first."""
    mirror = artifact_sources.open_mirror(context)
    names = {spec.gallery.definition: spec.name for spec in specs} | {SEVERAL: SEVERAL_IMAGES}
    folders = {
        f"{gallery}/{definition}/rollouts": image
        for gallery in (context.settings.gallery, context.settings.second_gallery)
        for definition, image in names.items()
        if gallery
    }
    read = (
        _move(image, mirror.recorded(f"{folder}/{name}"))
        for folder, image in folders.items()
        for name in _worth_reading(mirror.recorded_below(folder), since)
    )
    return tuple(sorted(filter(None, read), key=lambda summary: summary.began, reverse=True))


def _worth_reading(names: Sequence[str], since: dt.datetime) -> Iterator[str]:
    """Yield the newest records, and the refusals since *since*; names begin with a time."""
    first = f"{since:%Y%m%dT%H%M%SZ}"
    yield from names[-MOVES:]
    yield from (name for name in names[:-MOVES] if name.endswith(REFUSED) and name >= first)


def _move(image: str, content: bytes | None) -> RolloutSummary | None:
    """Parse a record; return None for a file that is not one."""
    try:
        record: dict[str, Any] = json.loads(content or b"{}")
        if record.get("refused"):
            return _refusal(image, record)
        calls = (record.get("metrics") or {}).get("calls")
        return RolloutSummary(
            image=image,
            verb=str(record["verb"]),
            title=str(record["title"]),
            began=_moment(record["began"]),
            seconds=float(record["seconds"]),
            steps=len(record["done"]),
            failed=len(record["failed"]),
            stopped=str(record["stopped"] or ""),
            objective_seconds=record["objective_seconds"],
            objective_met=record["objective_met"],
            calls=sum(calls.values()) if calls else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _refusal(image: str, record: Mapping[str, Any]) -> RolloutSummary:
    """Parse the record of a refused rollout; *seconds* is the time from first to last refusal."""
    began, last = _moment(record["began"]), _moment(record["last"])
    return RolloutSummary(
        image=image,
        verb=str(record["verb"]),
        title=str(record["title"]),
        began=began,
        seconds=(last - began).total_seconds(),
        steps=len(record["waiting"]),
        failed=0,
        refused=str(record["refused"]),
        times=int(record["times"]),
    )


def bakes(context: Context) -> tuple[BakeSummary, ...]:
    """The last bakes of this state directory, newest first."""
    journal = BakeJournal(folder=context.workspace.records, clock=lambda: context.now)
    return tuple(
        BakeSummary(image=bake.image, begun=bake.begun, outcome=bake.outcome)
        for bake in journal.latest(BAKES)
    )


def runbooks_seen(context: Context) -> tuple[RunbookSummary, ...]:
    """Every runbook, with its last rehearsal here."""
    return tuple(
        _runbook(context, runbook) for runbook in load_runbooks(context.workspace.runbooks).values()
    )


def _runbook(context: Context, book: Runbook) -> RunbookSummary:
    last = last_rehearsal(context, book.name) or {}
    try:
        rehearsed, seconds = _moment(last["began"]), float(last["seconds"])
    except (KeyError, TypeError, ValueError):
        rehearsed, seconds = None, None
    return RunbookSummary(
        name=book.name,
        title=book.title,
        objective_seconds=60.0 * book.minutes,
        page=book.facts["measured"],
        rehearsed=rehearsed,
        seconds=seconds,
        why=str(last.get("why") or ""),
    )


def _moment(text: str) -> dt.datetime:
    """A time of a record, which has its zone."""
    found = dt.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found
