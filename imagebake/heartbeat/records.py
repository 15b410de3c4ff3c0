"""The records of heartbeats: JSON lines, in files that no two machines give one name to."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.heartbeat.model import Beat, in_order, line_of
from imagebake.kernel.host.files import locked

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
