"""Runbooks in their one form: what started it, what to look at, what to type, when to stop."""

from __future__ import annotations
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from imagebake.kernel.context import Context
from imagebake.kernel.errors import UsageError
import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from imagebake.kernel.progress import Progress


FACTS = ("title", "trigger", "expected", "rto", "rpo", "measured")
"""What the front part of a page says, a line each."""
CHECKS, COMMANDS, STOPS = "Checks", "Commands", "Stop conditions"
"""The sections that every page has; only these hold commands that are executed."""
NEVER = "never"
"""What *measured* says of a runbook that nobody has rehearsed."""
_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STOP = re.compile(r"^- `([^`]+)` ends with (\d+): (.+?)(?=^- |\Z)", re.MULTILINE | re.DOTALL)
_END = re.compile(r"\s+# ends with (\d+)$")
_MINUTES = re.compile(r"(\d+) min\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line as the page has it; *ends* is the exit code that the page promises."""

    text: str
    ends: int = 0

    def words(self, values: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """The variables set before it, and what follows `./inv`, with *values* for `$NAME`."""
        words = shlex.split(Template(self.text).substitute(values))
        settings = {}
        while words and "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            settings[name] = value
        return settings, tuple(words[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """When to stop: *command* ends with the code that it says, and *why* is what to do then."""

    command: Command
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """One page: *minutes* is its objective (RTO); *text* is the page as it stands."""

    name: str
    facts: Mapping[str, str]
    checks: tuple[Command, ...]
    commands: tuple[Command, ...]
    stops: tuple[Stop, ...]
    text: str

    @property
    def title(self) -> str:
        """What has happened."""
        return self.facts["title"]

    @property
    def minutes(self) -> int:
        """So many minutes the answer may take."""
        found = _MINUTES.match(self.facts["rto"])
        return int(found[1]) if found else 0

    def measured(self, told: str) -> str:
        """The page, with *told* as what was measured."""
        line = re.compile(r"^measured: .*$", re.MULTILINE)
        return line.sub(lambda _: f"measured: {told}", self.text, count=1)


def parse(name: str, text: str) -> Runbook:
    """Read the page *text*; raises `UsageError` with everything that it lacks."""
    facts, body = _front(text)
    sections = dict(_sections(body))
    checks, commands = (tuple(_commands(sections.get(one, ""))) for one in (CHECKS, COMMANDS))
    stops = tuple(_stops(sections.get(STOPS, "")))
    book = Runbook(name=name, facts=facts, checks=checks, commands=commands, stops=stops, text=text)
    if wrong := [*_lacking(book), *_strange(book)]:
        raise UsageError(
            f"the runbook {name} is not whole: {'; '.join(wrong)}",
            hint="docs/recovery.md says what a runbook has",
        )
    return book


def _front(text: str) -> tuple[dict[str, str], str]:
    """The facts between the first two lines of dashes, and what follows."""
    _, first, rest = text.partition("---\n")
    front, second, body = rest.partition("\n---\n")
    if not (first and second) or not text.startswith("---\n"):
        return {}, text
    rows = (line.partition(": ") for line in front.splitlines())
    return {name.strip(): told.strip() for name, _, told in rows}, body


def _sections(body: str) -> Iterator[tuple[str, str]]:
    _, *parts = re.split(r"^## (.+)\n", body, flags=re.MULTILINE)
    yield from zip(parts[::2], parts[1::2], strict=True)


def _commands(section: str) -> Iterator[Command]:
    for block in _FENCE.findall(section):
        for line in filter(None, map(str.strip, block.splitlines())):
            end = _END.search(line)
            yield Command(text=_END.sub("", line), ends=int(end[1]) if end else 0)


def _stops(section: str) -> Iterator[Stop]:
    for command, code, why in _STOP.findall(section):
        yield Stop(command=Command(text=command, ends=int(code)), why=" ".join(why.split()))


def _lacking(book: Runbook) -> Iterator[str]:
    for name in FACTS:
        if not book.facts.get(name):
            yield f"its front part does not say {name}"
    if book.facts.get("rto") and not book.minutes:
        yield "its rto is not a number of minutes, such as '30 min'"
    for section, found in ((CHECKS, book.checks), (COMMANDS, book.commands), (STOPS, book.stops)):
        if not found:
            yield f"its section '{section}' has no command"


def _strange(book: Runbook) -> Iterator[str]:
    for name in book.facts:
        if name not in FACTS:
            yield f"its front part says {name}, which nobody reads"
    everything = (*book.checks, *book.commands, *(one.command for one in book.stops))
    for one in everything:
        try:
            known = "./inv" in shlex.split(one.text)
        except ValueError:
            known = False
        if not known:
            yield f"{one.text!r} is no ./inv command"


RECORDS = "rehearsals.jsonl"


def load_runbooks(folder: Path) -> dict[str, Runbook]:
    """Every runbook in *folder*, by name; raises `UsageError` for one that is not whole."""
    pages = sorted(folder.glob("*.md"))
    return {page.stem: parse(page.stem, page.read_text(encoding="utf-8")) for page in pages}


def last_rehearsal(context: Context, name: str) -> Mapping[str, Any] | None:
    """The last rehearsal of a runbook that there is a record of."""
    path = context.workspace.records / RECORDS
    if not path.exists():
        return None
    lines = reversed(path.read_text(encoding="utf-8").splitlines())
    mine: Any = next(
        (one for line in lines if (one := _read_record(line)).get("runbook") == name), None
    )
    return mine  # type: ignore[no-any-return]


def _read_record(line: str) -> dict[str, Any]:
    """A record; nothing where a line was cut short."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


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
