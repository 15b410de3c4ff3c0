"""What figures and verdicts need of a beat, kept small because there are very many beats."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from imagebake.heartbeat.model import AGENT, FORMAT, Phase, in_order
from imagebake.heartbeat.records import STRANGE, BeatRecords, documents, undisturbed
from imagebake.kernel.host.files import write_atomically

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
