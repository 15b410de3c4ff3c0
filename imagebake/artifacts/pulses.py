"""The pulses of the records of heartbeats, each file of which is read only once."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from pathlib import Path
from typing import Any

from imagebake.artifacts.beats import STRANGE, BeatRecords, documents, undisturbed
from imagebake.kernel.host.files import write_atomically
from imagebake.model.heartbeat import in_order
from imagebake.model.heartbeat_pulse import Digest, Pulse


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
