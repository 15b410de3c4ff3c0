"""Runbooks: parse a page of checks, commands and stop conditions, and rehearse it."""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from imagebake.kernel.context import Context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.progress import Progress

FACTS = ("title", "trigger", "expected", "rto", "rpo", "measured")
"""Fields of a page's front matter."""
CHECKS, COMMANDS, STOPS = "Checks", "Commands", "Stop conditions"
"""Sections that every page has; only their commands are executed."""
_FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STOP = re.compile(r"^- `([^`]+)` ends with (\d+): (.+?)(?=^- |\Z)", re.MULTILINE | re.DOTALL)
_END = re.compile(r"\s+# ends with (\d+)$")
_MINUTES = re.compile(r"(\d+) min\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookCommand:
    """A command line of the page; *exit_code* is the one that the page promises."""

    text: str
    exit_code: int = 0

    def words(self, values: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
        """Split into variables set before the command and words after `./inv`.

        *values* replace the `$NAME`s of the page.
        """
        words = shlex.split(Template(self.text).substitute(values))
        settings = {}
        while words and "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            settings[name] = value
        return settings, tuple(words[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCondition:
    """Stop when *command* ends with the given exit code; *why* says what to do then."""

    command: RunbookCommand
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """A page; *minutes* is its objective (RTO), *text* the page as it stands."""

    name: str
    facts: Mapping[str, str]
    checks: tuple[RunbookCommand, ...]
    commands: tuple[RunbookCommand, ...]
    stops: tuple[StopCondition, ...]
    text: str

    @property
    def title(self) -> str:
        """The incident that the page is about."""
        return self.facts["title"]

    @property
    def minutes(self) -> int:
        """Minutes that the recovery may take."""
        found = _MINUTES.match(self.facts["rto"])
        return int(found[1]) if found else 0

    def with_measurement(self, measurement: str) -> str:
        """Return the page with *measurement* in its front matter."""
        line = re.compile(r"^measured: .*$", re.MULTILINE)
        # A function, because a template would interpret backslashes in the measurement.
        return line.sub(lambda _: f"measured: {measurement}", self.text, count=1)


def parse_runbook(name: str, text: str) -> Runbook:
    """Parse the page *text*; raises `UsageError` with everything that is missing or unknown."""
    facts, body = _front_matter(text)
    sections = dict(_sections(body))
    checks, commands = (
        tuple(_commands(sections.get(section, ""))) for section in (CHECKS, COMMANDS)
    )
    stops = tuple(_stops(sections.get(STOPS, "")))
    book = Runbook(name=name, facts=facts, checks=checks, commands=commands, stops=stops, text=text)
    if wrong := [*_missing_parts(book), *_unknown_parts(book)]:
        raise UsageError(
            f"the runbook {name} is not whole: {'; '.join(wrong)}",
            hint="docs/how-to/recovery.md says what a runbook has",
        )
    return book


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """Return the fields between the first two lines of dashes, and the text after them."""
    _, first, rest = text.partition("---\n")
    front, second, body = rest.partition("\n---\n")
    if not (first and second) or not text.startswith("---\n"):
        return {}, text
    rows = (line.partition(": ") for line in front.splitlines())
    return {name.strip(): fact.strip() for name, _, fact in rows}, body


def _sections(body: str) -> Iterator[tuple[str, str]]:
    _, *parts = re.split(r"^## (.+)\n", body, flags=re.MULTILINE)
    yield from zip(parts[::2], parts[1::2], strict=True)


def _commands(section: str) -> Iterator[RunbookCommand]:
    for block in _FENCE.findall(section):
        for line in filter(None, map(str.strip, block.splitlines())):
            end = _END.search(line)
            yield RunbookCommand(text=_END.sub("", line), exit_code=int(end[1]) if end else 0)


def _stops(section: str) -> Iterator[StopCondition]:
    for command, code, why in _STOP.findall(section):
        yield StopCondition(
            command=RunbookCommand(text=command, exit_code=int(code)), why=" ".join(why.split())
        )


def _missing_parts(book: Runbook) -> Iterator[str]:
    for name in FACTS:
        if not book.facts.get(name):
            yield f"its front part does not say {name}"
    if book.facts.get("rto") and not book.minutes:
        yield "its rto is not a number of minutes, such as '30 min'"
    for section, found in ((CHECKS, book.checks), (COMMANDS, book.commands), (STOPS, book.stops)):
        if not found:
            yield f"its section '{section}' has no command"


def _unknown_parts(book: Runbook) -> Iterator[str]:
    for name in book.facts:
        if name not in FACTS:
            yield f"its front part has an unknown field {name}"
    everything = (*book.checks, *book.commands, *(stop.command for stop in book.stops))
    for command in everything:
        try:
            known = "./inv" in shlex.split(command.text)
        except ValueError:
            known = False
        if not known:
            yield f"{command.text!r} is no ./inv command"


RECORDS = "rehearsals.jsonl"


def load_runbooks(folder: Path) -> dict[str, Runbook]:
    """Load every runbook in *folder* by name; raises `UsageError` for an incomplete one."""
    pages = sorted(folder.glob("*.md"))
    return {page.stem: parse_runbook(page.stem, page.read_text(encoding="utf-8")) for page in pages}


def last_rehearsal(context: Context, name: str) -> Mapping[str, Any] | None:
    """Return the record of the last rehearsal of a runbook, None where there is none."""
    path = context.workspace.records / RECORDS
    if not path.exists():
        return None
    lines = reversed(path.read_text(encoding="utf-8").splitlines())
    mine: Any = next(
        (record for line in lines if (record := _read_record(line)).get("runbook") == name), None
    )
    return mine  # type: ignore[no-any-return]


def _read_record(line: str) -> dict[str, Any]:
    """Parse a record; a line that was cut short is empty."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


CommandRunner = Callable[[Mapping[str, str], tuple[str, ...]], tuple[int, str]]
"""Runs words with variables; returns the exit code and the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalServices:
    """Services of a rehearsal; *values* replace the `$NAME`s of the page.

    *inject_fault* brings about the incident of the page.
    """

    run: CommandRunner
    inject_fault: Callable[[], None]
    values: Mapping[str, str]
    machine: str
    now: Callable[[], dt.datetime]
    clock: Callable[[], float]
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalStep:
    """A command as it was run: the *part* of the page that it is in, and how it ended."""

    part: str
    command: str
    code: int
    wanted: int
    seconds: float
    output: str = ""

    @property
    def good(self) -> bool:
        """Whether it ended as the page promises."""
        return self.code == self.wanted

    def to_json(self) -> dict[str, Any]:
        """Return the step for the record, with its output where it went wrong."""
        document: dict[str, Any] = {
            "part": self.part,
            "command": self.command,
            "code": self.code,
            "wanted": self.wanted,
            "seconds": round(self.seconds, 2),
        }
        return document if self.good else document | {"said": self.output}


@dataclass(slots=True, kw_only=True)
class Rehearsal:
    """Result of a rehearsal; *why* is empty where all went as the page says, and in time."""

    name: str
    began: dt.datetime
    machine: str
    minutes: int
    steps: list[RehearsalStep] = field(default_factory=list)
    why: str = ""

    @property
    def seconds(self) -> float:
        """Seconds from the trigger to the last stop condition."""
        return sum(step.seconds for step in self.steps)

    @property
    def measurement(self) -> str:
        """The measurement as the page states it."""
        return (
            f"{self.seconds:.1f} s of {self.minutes} min, on {self.began:%Y-%m-%d}, {self.machine}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the rehearsal's record."""
        return {
            "record_version": 1,
            "runbook": self.name,
            "began": self.began.isoformat(timespec="seconds"),
            "machine": self.machine,
            "seconds": round(self.seconds, 2),
            "objective_seconds": self.minutes * 60,
            "passed": not self.why,
            "why": self.why or None,
            "steps": [step.to_json() for step in self.steps],
        }


def rehearse(book: Runbook, services: RehearsalServices) -> Rehearsal:
    """Inject the fault, run the commands of *book*, and test its stop conditions.

    The rehearsal ends at the first command that ends otherwise than the page promises.
    """
    made = Rehearsal(
        name=book.name, began=services.now(), machine=services.machine, minutes=book.minutes
    )
    with services.progress.step(f"Break what '{book.title}' is about"):
        services.inject_fault()
    for part, commands in (("check", book.checks), ("command", book.commands)):
        for command in commands:
            step = _run_command(part, command, services)
            made.steps.append(step)
            if not step.good:
                made.why = f"{step.command} ended with {step.code} instead of {step.wanted}"
                return made
    for stop in book.stops:
        step = _run_command("stop", stop.command, services)
        made.steps.append(_not_stopped(step))
        if step.good:
            made.why = f"a stop condition holds: {step.command} ends with {step.code}: {stop.why}"
            return made
    # The time of commands alone counts: an operator's reading and typing is not measured.
    if made.seconds > book.minutes * 60:
        made.why = f"it took {made.seconds / 60:.0f} min, and the objective is {book.minutes} min"
    return made


def _run_command(part: str, command: RunbookCommand, services: RehearsalServices) -> RehearsalStep:
    settings, words = command.words(services.values)
    with services.progress.step(f"{part}: {' '.join(words)}"):
        began = services.clock()
        code, output = services.run(settings, words)
        seconds = services.clock() - began
    return RehearsalStep(
        part=part,
        command=command.text,
        code=code,
        wanted=command.exit_code,
        seconds=seconds,
        output=output,
    )


def _not_stopped(step: RehearsalStep) -> RehearsalStep:
    """Return the step of a stop condition; one that does not hold is good, whatever its code."""
    wanted = -1 if step.good else step.code
    return RehearsalStep(
        part=step.part, command=step.command, code=step.code, wanted=wanted, seconds=step.seconds,
        output=step.output,
    )  # fmt: skip
