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

from imagebake.host.files import locked
from imagebake.model.heartbeat import Beat, in_order, line_of

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
        first = since.astimezone(dt.UTC).strftime(_DAY) if since else ""
        with _undisturbed():
            return in_order(
                beat
                for path in sorted(self.folder.glob("*.jsonl"))
                if path.name[:10] >= first
                for beat in _read(path)
                if since is None or beat.began >= since
            )


def _ends_well(handle: int) -> bool:
    return os.pread(handle, 1, os.fstat(handle).st_size - 1) == b"\n"


def _read(path: Path) -> Iterator[Beat]:
    """The beats in a file; lines that are broken, or not of our format, are passed over."""
    for document in _documents(path.read_bytes()):
        with contextlib.suppress(KeyError, TypeError, ValueError, IndexError, AttributeError):
            yield Beat.of_json(document)


def _documents(content: bytes) -> Iterator[Any]:
    lines = [line for line in content.split(b"\n") if line]
    try:
        yield from json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        for line in lines:
            with contextlib.suppress(ValueError):
                yield json.loads(line)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let nothing look for garbage while very many values are made, none of which is any."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
