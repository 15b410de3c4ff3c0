"""Records of beats on disk: JSON lines per day and machine, with caches of summaries."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from imagebake.heartbeat.model import AGENT, FORMAT, Beat, Phase, beat_line, sort_beats
from imagebake.kernel.host.files import file_lock, write_atomically

MALFORMED_ERRORS = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""Errors that reading a malformed document may raise."""
CACHE_FORMAT = 1
"""Format of a summary cache; a file of another format is written again."""
_DAY = "%Y-%m-%d"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatRecords:
    """A directory of append-only files `2026-11-22-HOST.jsonl`, one per day and machine.

    *host* is unique among machines and their boots, so the directories of several machines
    are merged by copying: of two files with the same name, the longer one contains the other.
    """

    folder: Path
    host: str

    def add(self, beats: Iterable[Beat]) -> None:
        """Append *beats* in one write per file; a killed writer leaves at worst half a line."""
        by_day: dict[str, list[bytes]] = {}
        for beat in beats:
            day = beat.began.astimezone(dt.UTC).strftime(_DAY)
            by_day.setdefault(day, []).append(beat_line(beat))
        for day, lines in by_day.items():
            path = self.folder / f"{day}-{self.host}.jsonl"
            with file_lock(self.folder / ".lock"), path.open("a+b") as file:
                torn = file.tell() and not _ends_with_newline(file.fileno())
                # The half line of a killed writer is ended, so that it spoils no whole one.
                file.write((b"\n" if torn else b"") + b"".join(lines))
                file.flush()
                os.fsync(file.fileno())

    def load(self, since: dt.datetime | None = None) -> list[Beat]:
        """Load the beats of all machines from *since* on, by time, without duplicates."""
        with garbage_collection_paused():
            beats = [beat for path in self.files(since) for beat in _read_beats(path)]
            return sort_beats(beat for beat in beats if since is None or beat.began >= since)

    def files(self, since: dt.datetime | None = None) -> list[Path]:
        """List the files that may hold beats from *since* on, by name."""
        first = since.astimezone(dt.UTC).strftime(_DAY) if since else ""
        return [path for path in sorted(self.folder.glob("*.jsonl")) if path.name[:10] >= first]


def _ends_with_newline(handle: int) -> bool:
    return os.pread(handle, 1, os.fstat(handle).st_size - 1) == b"\n"


def _read_beats(path: Path) -> list[Beat]:
    """Read the beats of a file; skip lines that are broken or of another format."""
    documents = parse_lines(path.read_bytes())
    try:
        return [Beat.of_json(document) for document in documents]
    except MALFORMED_ERRORS:
        return [beat for document in documents if (beat := _beat(document))]


def _beat(document: Any) -> Beat | None:  # noqa: ANN401 - JSON is what it is
    try:
        return Beat.of_json(document)
    except MALFORMED_ERRORS:
        return None


def parse_lines(content: bytes) -> list[Any]:
    """Parse every line as JSON; skip the broken ones."""
    lines = [line for line in content.split(b"\n") if line]
    try:
        # A single call of the C parser takes a fraction of the time of one call per line.
        documents: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        parsed = map(_parse_line, lines)
        return [document for document in parsed if document is not None]
    return documents


def _parse_line(line: bytes) -> Any:  # noqa: ANN401 - JSON is what it is
    try:
        return json.loads(line)
    except ValueError:
        return None


@contextlib.contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Pause the cyclic collector, which would scan very many new values and free none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class BeatSummary(NamedTuple):
    """A beat with only the phase that failed: small, because a history loads very many."""

    id: str
    began: dt.datetime
    ready_seconds: float | None
    failure: Phase | None
    image: str
    version: str
    published: dt.datetime | None
    region: str
    label: str

    @property
    def good(self) -> bool:
        """Whether every phase succeeded."""
        return self.failure is None


_Group = tuple[str, str, str | None, str, str]
"""Values that many beats share: image, version, its publication time, region and label."""
_Row = Sequence[Any]
"""A beat: index of its `_Group`, id, start time, seconds to Ready, failed phase."""


@dataclass(slots=True)
class SummaryCache:
    """The summaries of one file of records, in a form that loads quickly."""

    groups: list[_Group] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Any]]) -> SummaryCache:
        """Summarise *documents* of `Beat.to_json`.

        Raises one of `MALFORMED_ERRORS` for a document that is no beat.
        """
        numbers: dict[_Group, int] = {}
        rows: list[_Row] = []
        for beat in documents:
            if beat["beat"] != FORMAT:
                raise ValueError(f"format {beat['beat']!r} is not one of ours")
            group = (
                beat["image"],
                beat["version"],
                beat["published"],
                beat["region"],
                beat["label"],
            )
            number = numbers.setdefault(group, len(numbers))
            row = (number, _require_text(beat["id"]), beat["began"])
            rows.append((*row, *_summarise_phases(beat["phases"])))
        for image, version, _, region, label in numbers:
            _require_text(image, version, region, label)
        return cls(list(numbers), rows)

    def to_json(self) -> dict[str, Any]:
        """Return the document of the cache file."""
        return {"digest": CACHE_FORMAT, "whos": self.groups, "rows": self.rows}

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> SummaryCache:
        """Read a document of `to_json`; raises as `of` does."""
        if document["digest"] != CACHE_FORMAT:
            raise ValueError(f"digest {document['digest']!r} is not one of ours")
        return cls(document["whos"], document["rows"])

    def summaries(self) -> list[BeatSummary]:
        """Return the summaries in the order of the records; raises as `of` does."""
        moment = dt.datetime.fromisoformat
        groups = [
            (image, version, moment(published) if published else None, region, label)
            for image, version, published, region, label in self.groups
        ]
        summaries = [
            BeatSummary(
                name, moment(began), ready, Phase(*failed) if failed else None, *groups[number]
            )
            for number, name, began, ready, failed in self.rows
        ]
        if any(summary.began.tzinfo is None for summary in summaries):
            raise ValueError("a time without its zone is none of ours")
        return summaries


def _require_text(first: str, *more: str) -> str:
    """Return *first*; raises `TypeError` unless all arguments are text."""
    "".join((first, *more))
    return first


def _summarise_phases(
    phases: Iterable[Sequence[Any]],
) -> tuple[float | None, Sequence[Any] | None]:
    """Return seconds to Ready and the failed phase, as `Beat` computes them."""
    total, ready = 0.0, None
    for phase in phases:
        if len(phase) > 2 and phase[2]:  # noqa: PLR2004 - a name and its seconds, then an error
            return ready, phase
        total += phase[1]
        if phase[0] == AGENT and ready is None:
            ready = round(total, 3)
    return ready, None


def load_summaries(
    records: BeatRecords, cache: Path, since: dt.datetime | None = None
) -> list[BeatSummary]:
    """Load the summaries of all machines from *since* on, by time, without duplicates.

    The directory *cache* holds a cache per file of records, which is written again where the
    file has changed. Without it, loading takes longer and returns the same.
    """
    with garbage_collection_paused():
        found = [
            summary for path in records.files(since) for summary in _read_summaries(path, cache)
        ]
        return sort_beats(summary for summary in found if since is None or summary.began >= since)


def _read_summaries(path: Path, cache: Path) -> list[BeatSummary]:
    """Read the summaries of a file, from its cache where size and mtime are unchanged."""
    state = path.stat()
    stamp = [state.st_size, state.st_mtime_ns]
    place = cache / f"{path.name}.json"
    with contextlib.suppress(OSError, *MALFORMED_ERRORS):
        document = json.loads(place.read_bytes())
        if document["of"] == stamp:
            return SummaryCache.of_json(document).summaries()
    built, summaries = _summarise(parse_lines(path.read_bytes()))
    text = json.dumps(built.to_json() | {"of": stamp}, separators=(",", ":"))
    with contextlib.suppress(OSError):  # a disk that is full or read-only
        write_atomically(place, text.encode(), durable=False)
    return summaries


def _summarise(documents: list[Any]) -> tuple[SummaryCache, list[BeatSummary]]:
    """Summarise the *documents* that are beats; test each alone only where one is not."""
    try:
        cache = SummaryCache.of(documents)
        return cache, cache.summaries()
    except MALFORMED_ERRORS:
        cache = SummaryCache.of(document for document in documents if _is_beat(document))
        return cache, cache.summaries()


def _is_beat(document: Any) -> bool:  # noqa: ANN401 - JSON is what it is
    try:
        return bool(SummaryCache.of([document]).summaries())
    except MALFORMED_ERRORS:
        return False
