"""Rehearse a runbook: every command of it, in a world that has just been broken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebake.kernel.progress import Progress
from imagebake.recovery.runbook import Command, Runbook

Run = Callable[[Mapping[str, str], tuple[str, ...]], tuple[int, str]]
"""What runs a command with variables set before it; its exit code, and what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """*values* stand for the `$NAME`s of the page; *strike* breaks the world."""

    run: Run
    strike: Callable[[], None]
    values: Mapping[str, str]
    machine: str
    now: Callable[[], dt.datetime]
    clock: Callable[[], float]
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One command as it was run: in which *part* of the page, and how it ended."""

    part: str
    command: str
    code: int
    wanted: int
    seconds: float
    said: str = ""

    @property
    def good(self) -> bool:
        """Whether it ended as the page promises."""
        return self.code == self.wanted

    def to_json(self) -> dict[str, Any]:
        """The command for programs, with its last words where it went wrong."""
        told: dict[str, Any] = {
            "part": self.part,
            "command": self.command,
            "code": self.code,
            "wanted": self.wanted,
            "seconds": round(self.seconds, 2),
        }
        return told if self.good else told | {"said": self.said}


@dataclass(slots=True, kw_only=True)
class Rehearsal:
    """What came of it; *why* is empty where everything was as the page says, and in time."""

    name: str
    began: dt.datetime
    machine: str
    minutes: int
    taken: list[Taken] = field(default_factory=list)
    why: str = ""

    @property
    def seconds(self) -> float:
        """From the trigger to the last stop condition."""
        return sum(one.seconds for one in self.taken)

    @property
    def told(self) -> str:
        """The measurement as the page has it."""
        return (
            f"{self.seconds:.1f} s of {self.minutes} min, on {self.began:%Y-%m-%d}, {self.machine}"
        )

    def to_json(self) -> dict[str, Any]:
        """The rehearsal as it is recorded."""
        return {
            "record_version": 1,
            "runbook": self.name,
            "began": self.began.isoformat(timespec="seconds"),
            "machine": self.machine,
            "seconds": round(self.seconds, 2),
            "objective_seconds": self.minutes * 60,
            "passed": not self.why,
            "why": self.why or None,
            "steps": [one.to_json() for one in self.taken],
        }


def rehearse(book: Runbook, hands: Hands) -> Rehearsal:
    """Break the world, then do what *book* says, and look whether a stop condition holds.

    What ends otherwise than the page promises ends the rehearsal there.
    """
    made = Rehearsal(name=book.name, began=hands.now(), machine=hands.machine, minutes=book.minutes)
    with hands.progress.step(f"Break what '{book.title}' is about"):
        hands.strike()
    for part, commands in (("check", book.checks), ("command", book.commands)):
        for command in commands:
            one = _take(part, command, hands)
            made.taken.append(one)
            if not one.good:
                made.why = f"{one.command} ended with {one.code} instead of {one.wanted}"
                return made
    for stop in book.stops:
        one = _take("stop", stop.command, hands)
        made.taken.append(_as_no_stop(one))
        if one.good:
            made.why = f"a stop condition holds: {one.command} ends with {one.code}: {stop.why}"
            return made
    if made.seconds > book.minutes * 60:
        made.why = f"it took {made.seconds / 60:.0f} min, and the objective is {book.minutes} min"
    return made


def _take(part: str, command: Command, hands: Hands) -> Taken:
    settings, words = command.words(hands.values)
    with hands.progress.step(f"{part}: {' '.join(words)}"):
        began = hands.clock()
        code, said = hands.run(settings, words)
        seconds = hands.clock() - began
    return Taken(
        part=part, command=command.text, code=code, wanted=command.ends, seconds=seconds, said=said
    )


def _as_no_stop(one: Taken) -> Taken:
    """A stop condition that does not hold is as it should be, whatever its code."""
    wanted = -1 if one.good else one.code
    return Taken(
        part=one.part, command=one.command, code=one.code, wanted=wanted, seconds=one.seconds,
        said=one.said,
    )  # fmt: skip
