"""The records of heartbeats: JSON lines, in files that no two machines give one name to."""

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

from imagebake.heartbeat.model import AGENT, FORMAT, Beat, Phase, in_order, line_of
from imagebake.kernel.host.files import locked, write_atomically

_DAY = "%Y-%m-%d"


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatRecords:
    """A directory of files `2026-11-22-HOST.jsonl`, one a day and machine, only added to.

    *host* is unique among machines and their starts, so directories of several machines are
    merged by copying: a file with a name that is there already is the same, or longer.
    """

    folder: Path
    host: str

    def add(self, beats: Iterable[Beat]) -> None:
        """Write *beats* down, each in one piece; a killed writer leaves at worst half a line."""
        by_day: dict[str, list[bytes]] = {}
        for one in beats:
            day = one.began.astimezone(dt.UTC).strftime(_DAY)
            by_day.setdefault(day, []).append(line_of(one))
        for day, lines in by_day.items():
            path = self.folder / f"{day}-{self.host}.jsonl"
            with locked(self.folder / ".lock"), path.open("a+b") as file:
                torn = file.tell() and not _ends_well(file.fileno())
                file.write((b"\n" if torn else b"") + b"".join(lines))
                file.flush()
                os.fsync(file.fileno())

    def load(self, since: dt.datetime | None = None) -> list[Beat]:
        """The beats of all machines from *since* on, by time, each once."""
        with undisturbed():
            beats = [beat for path in self.files(since) for beat in _read(path)]
            return in_order(one for one in beats if since is None or one.began >= since)

    def files(self, since: dt.datetime | None = None) -> list[Path]:
        """The files that may have beats from *since* on, by name."""
        first = since.astimezone(dt.UTC).strftime(_DAY) if since else ""
        return [path for path in sorted(self.folder.glob("*.jsonl")) if path.name[:10] >= first]


def _ends_well(handle: int) -> bool:
    return os.pread(handle, 1, os.fstat(handle).st_size - 1) == b"\n"


def _read(path: Path) -> list[Beat]:
    """The beats in a file; lines that are broken, or not of our format, are passed over."""
    found = documents(path.read_bytes())
    try:
        return [Beat.of_json(one) for one in found]
    except STRANGE:
        return [beat for one in found if (beat := _beat(one))]


def _beat(document: Any) -> Beat | None:  # noqa: ANN401 - JSON is what it is
    try:
        return Beat.of_json(document)
    except STRANGE:
        return None


def documents(content: bytes) -> list[Any]:
    """Every line's document: all at once, and one by one only where a line is broken."""
    lines = [line for line in content.split(b"\n") if line]
    try:
        found: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        return [one for line in lines if (one := _document(line)) is not None]
    return found


def _document(line: bytes) -> Any:  # noqa: ANN401 - JSON is what it is
    try:
        return json.loads(line)
    except ValueError:
        return None


STRANGE = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What reading a document that is none of ours may raise."""


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let nothing look for garbage while very many values are made, none of which is any."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


DIGEST = 1
"""The format of a digest; one of another format is made anew."""


class Pulse(NamedTuple):
    """A beat without its phases, but for the one that failed."""

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
        """Whether every phase went well."""
        return self.failure is None


Who = tuple[str, str, str | None, str, str]
"""What many beats share: image, version, when that was published, region and label."""
Row = Sequence[Any]
"""One beat: the number of its `Who`, its id, when it began, seconds to Ready, what failed."""


@dataclass(slots=True)
class Digest:
    """The pulses of one file of records, in the form in which they are quickly read again."""

    whos: list[Who] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Any]]) -> Digest:
        """What *documents*, as `Beat.to_json` writes them, say.

        Raises `KeyError`, `TypeError`, `ValueError` or `IndexError` for what is none.
        """
        numbers: dict[Who, int] = {}
        rows: list[Row] = []
        for one in documents:
            if one["beat"] != FORMAT:
                raise ValueError(f"format {one['beat']!r} is not one of ours")
            who = (one["image"], one["version"], one["published"], one["region"], one["label"])
            number = numbers.setdefault(who, len(numbers))
            rows.append((number, _text(one["id"]), one["began"], *_heard(one["phases"])))
        for image, version, _, region, label in numbers:
            _text(image, version, region, label)
        return cls(list(numbers), rows)

    def to_json(self) -> dict[str, Any]:
        """The digest as it is kept."""
        return {"digest": DIGEST, "whos": self.whos, "rows": self.rows}

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Digest:
        """The digest that `to_json` wrote; raises as `of` does."""
        if document["digest"] != DIGEST:
            raise ValueError(f"digest {document['digest']!r} is not one of ours")
        return cls(document["whos"], document["rows"])

    def pulses(self) -> list[Pulse]:
        """The pulses, as they were written down; raises as `of` does."""
        moment = dt.datetime.fromisoformat
        whos = [
            (image, version, moment(published) if published else None, region, label)
            for image, version, published, region, label in self.whos
        ]
        found = [
            Pulse(name, moment(began), ready, Phase(*failed) if failed else None, *whos[number])
            for number, name, began, ready, failed in self.rows
        ]
        if any(one.began.tzinfo is None for one in found):
            raise ValueError("a time without its zone is none of ours")
        return found


def _text(first: str, *more: str) -> str:
    """*first*, where it and all the others are text; raises `TypeError` where one is not."""
    "".join((first, *more))
    return first


def _heard(phases: Iterable[Sequence[Any]]) -> tuple[float | None, Sequence[Any] | None]:
    """Seconds to Ready, and the phase that failed first; the same as `Beat` says of them."""
    total, ready = 0.0, None
    for one in phases:
        if len(one) > 2 and one[2]:  # noqa: PLR2004 - a name and its seconds, then what failed
            return ready, one
        total += one[1]
        if one[0] == AGENT and ready is None:
            ready = round(total, 3)
    return ready, None


def load_pulses(records: BeatRecords, kept: Path, since: dt.datetime | None = None) -> list[Pulse]:
    """The pulses of all machines from *since* on, by time, each once.

    In the directory *kept* is a digest of each file, which is made anew where the file is no
    longer what it was; without it everything takes longer, and nothing else.
    """
    with undisturbed():
        found = [one for path in records.files(since) for one in _pulses(path, kept)]
        return in_order(one for one in found if since is None or one.began >= since)


def _pulses(path: Path, kept: Path) -> list[Pulse]:
    """The pulses in a file, from its digest where that is of the file as it is."""
    state = path.stat()
    stamp = [state.st_size, state.st_mtime_ns]
    place = kept / f"{path.name}.json"
    with contextlib.suppress(OSError, *STRANGE):
        document = json.loads(place.read_bytes())
        if document["of"] == stamp:
            return Digest.of_json(document).pulses()
    digest, found = _digest(documents(path.read_bytes()))
    told = json.dumps(digest.to_json() | {"of": stamp}, separators=(",", ":"))
    with contextlib.suppress(OSError):  # a disk that is full, or not ours to write
        write_atomically(place, told.encode(), durable=False)
    return found


def _digest(lines: list[Any]) -> tuple[Digest, list[Pulse]]:
    """The digest of all *lines* that are beats; one by one only where one of them is not."""
    try:
        digest = Digest.of(lines)
        return digest, digest.pulses()
    except STRANGE:
        digest = Digest.of(one for one in lines if _is_beat(one))
        return digest, digest.pulses()


def _is_beat(document: Any) -> bool:  # noqa: ANN401 - JSON is what it is
    try:
        return bool(Digest.of([document]).pulses())
    except STRANGE:
        return False
