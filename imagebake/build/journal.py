"""Records of bakes as JSON lines, written as the bake goes, so that a killed one has a record."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.build.due import BakeAttempt


def journal_line(event: str, at: dt.datetime, facts: Mapping[str, Any]) -> bytes:
    """Encode one event with its time in UTC and its facts."""
    entry = {"event": event, "at": at.astimezone(dt.UTC).isoformat(timespec="seconds"), **facts}
    return json.dumps(entry, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def read_attempt(lines: Iterable[str]) -> BakeAttempt | None:
    """Read the bake from the lines of a record; None if it is not a bake record.

    Truncated lines and unknown events are skipped.
    """
    events = [event for text in lines if (event := _event(text))]
    begun = next((event for event in events if event.get("event") == "begun"), None)
    if begun is None:
        return None
    ended = next((event for event in events if event.get("event") == "ended"), {})
    try:
        return BakeAttempt(
            image=str(begun["image"]),
            bake_key=str(begun["bake_key"]),
            begun=dt.datetime.fromisoformat(str(begun["at"])),
            outcome=str(ended.get("outcome", "")),
        )
    except (KeyError, ValueError):
        return None


def _event(text: str) -> dict[str, Any] | None:
    try:
        event = json.loads(text)
    except json.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None


_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-.+\.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeJournal:
    """The records in *folder*, which may collect those of several machines."""

    folder: Path
    clock: Callable[[], dt.datetime]

    @contextlib.contextmanager
    def bake(self, image: str, facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Record one bake while the context is open; its result goes into the yielded dict.

        An exception is recorded as a failure with its message, and propagates.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        begun = self.clock()
        name = f"{begun:%Y%m%dT%H%M%SZ}-{image}-{os.getpid()}.jsonl"
        # Unbuffered, so that a killed process leaves the line that says it began.
        with (self.folder / name).open("ab", buffering=0) as file:
            file.write(journal_line("begun", begun, {"image": image, **facts}))
            end: dict[str, Any] = {}
            try:
                yield end
            except BaseException as error:
                why = {"outcome": "failed", "error": str(error) or type(error).__name__}
                file.write(journal_line("ended", self.clock(), why))
                raise
            file.write(journal_line("ended", self.clock(), end))

    def attempts(self, image: str) -> tuple[BakeAttempt, ...]:
        """Return the recorded bakes of *image*, oldest first."""
        return tuple(
            attempt for attempt in map(_read, self._paths()) if attempt and attempt.image == image
        )

    def latest(self, count: int) -> tuple[BakeAttempt, ...]:
        """Return the last *count* bakes of any image, newest first."""
        read = (attempt for path in reversed(self._paths()) if (attempt := _read(path)))
        return tuple(itertools.islice(read, count))

    def _paths(self) -> list[Path]:
        """Return the records, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))


def _read(path: Path) -> BakeAttempt | None:
    return read_attempt(path.read_text(encoding="utf-8", errors="replace").splitlines())
