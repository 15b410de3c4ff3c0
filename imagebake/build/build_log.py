"""Parse and follow the Packer log of a build, step by step."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagebake.azure.error_catalog.builds import BUILDS
from imagebake.azure.error_catalog.known_error import KnownError
from imagebake.azure.error_catalog.lookup import known_build_error

_PREFIX = re.compile(r"\[(?P<run>[0-9A-Za-z<>_-]+)\] PACKER ?(?P<stream>OUT|ERR)? ?(?P<rest>.*)")
_TIME = re.compile(r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) ?")
_MARK = re.compile(r"\(telemetry\) (?P<what>Starting provisioner|ending) (?P<kind>[a-z-]+)")
_FINAL = "(telemetry) Finalizing."
_MESSAGE = re.compile(r"(?:==> |--> |    )(?:azure-arm: ?)?(?P<text>.*)")
_NAMED = re.compile(r"(?P<name>.+): Provisioning(?:, with the network)?")
_FAILURE = re.compile(
    r"Build 'azure-arm' errored|Script exited with non-zero exit status"
    r"|Timeout waiting for machine to restart|Provisioning step had errors"
)
_TIMES = "%Y/%m/%d %H:%M:%S"
_HIDDEN = "generalise"
"""Name of the step that Image Builder appends: it is in no template."""
_LAST = 40
"""Number of a step's last lines that are searched for a known error."""


@dataclass(slots=True)
class LogStep:
    """One step of a build; *kind* is Packer's type, *name* may be empty.

    *broke* is the line that reported its failure. *ended* is None while it runs, or if its end
    was not logged.
    """

    kind: str
    name: str = ""
    began: dt.datetime | None = None
    ended: dt.datetime | None = None
    over: bool = False
    lines: list[str] = field(default_factory=list)
    broke: str = ""

    @property
    def seconds(self) -> float | None:
        """The duration in whole seconds, if both marks have a time."""
        return (self.ended - self.began).total_seconds() if self.began and self.ended else None

    @property
    def outcome(self) -> str:
        """`failed`, `done` or `running`."""
        return "failed" if self.broke else "done" if self.over else "running"

    def meaning(self) -> KnownError | None:
        """Return the most specific known error among the step's last lines."""
        found = (known_build_error(line) for line in (*self.lines[-_LAST:], self.broke))
        return min(filter(None, found), key=BUILDS.index, default=None)


@dataclass(slots=True)
class BuildLog:
    """A log that is read incrementally with `feed`.

    *names* are the template's customizers in order, each with its Packer type, for logs without
    step names.
    """

    names: Sequence[tuple[str, str]] = ()
    run: str = ""
    before: list[str] = field(default_factory=list)
    steps: list[LogStep] = field(default_factory=list)
    final: bool = False
    _named: int = 0

    def feed(self, line: str) -> str | None:
        """Read one line; return its text for people, or None if it has none."""
        if prefixed := _PREFIX.match(line):
            self.run = self.run or prefixed["run"]
            rest, noise = prefixed["rest"], prefixed["stream"] == "ERR"
        else:
            rest, noise = line, False
        if _FINAL in rest:
            self.final = True
            return None
        # Packer's telemetry lines are the only marks around a step that carry a time.
        if mark := _MARK.search(rest):
            self._mark(mark["what"], mark["kind"], _time(rest))
            return None
        message = _MESSAGE.match(rest)
        # Packer's own diagnostics go to stderr; they are not output of the build.
        if noise and not message:
            return None
        return self._add_text(message["text"] if message else rest)

    @property
    def failed(self) -> LogStep | None:
        """The step that failed the build."""
        return next((step for step in self.steps if step.broke), None)

    def to_json(self) -> dict[str, Any]:
        """Return the log for programs: duration of each step, and the cause of a failure."""
        return {
            "run": self.run,
            "finished": self.final,
            "steps": [_step_json(number, step) for number, step in enumerate(self.steps, 1)],
        }

    def _mark(self, what: str, kind: str, time: dt.datetime | None) -> None:
        if what != "ending":
            self.steps.append(LogStep(kind=kind, name=self._next_name(kind), began=time))
            return
        for step in reversed(self.steps):
            if step.kind == kind and not step.over:
                step.over, step.ended = True, time
                return

    def _next_name(self, kind: str) -> str:
        if self._named < len(self.names) and self.names[self._named][1] == kind:
            self._named += 1
            return self.names[self._named - 1][0]
        return _HIDDEN if self.names and self._named == len(self.names) else ""

    def _add_text(self, text: str) -> str | None:
        if not self.steps:
            self.before.append(text)
            return text
        step = self.steps[-1]
        if found := _NAMED.fullmatch(text):
            step.name = found["name"]
            return None
        step.lines.append(text)
        if _FAILURE.search(text) and not self.failed:
            step.broke = text
        return text


def split_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Split chunks of bytes into lines; the last one may lack its newline."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
    if rest:
        yield rest.decode(errors="replace")


def _time(text: str) -> dt.datetime | None:
    found = _TIME.search(text)
    if not found:
        return None
    try:
        return dt.datetime.strptime(found["time"], _TIMES).replace(tzinfo=dt.UTC)
    except ValueError:
        return None


def _step_json(number: int, step: LogStep) -> dict[str, Any]:
    known = step.meaning() if step.broke else None
    return {
        "number": number,
        "kind": step.kind,
        "name": step.name,
        "began": step.began.isoformat() if step.began else None,
        "seconds": step.seconds,
        "outcome": step.outcome,
        "broke": step.broke or None,
        "cause": known.cause if known else None,
        "hint": known.hint if known else None,
        "lines": step.lines,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """Log of a run that may be under way; *read* returns its bytes from an offset on.

    *state* returns the state of the run, or None when it has ended; *rest* sleeps between two
    polls.
    """

    read: Callable[[int], bytes]
    state: Callable[[], str | None]
    rest: Callable[[], None]


def follow_log(source: LogSource, on_state: Callable[[str], None]) -> Iterator[bytes]:
    """Yield the log as it grows; call *on_state* once for each new state.

    The state is read before the log, so that the last lines are never missed.
    """
    offset, reported = 0, ""
    while True:
        state = source.state()
        if state and state != reported:
            on_state(state)
            reported = state
        chunk = source.read(offset)
        offset += len(chunk)
        if chunk:
            yield chunk
        elif state is None:
            return
        else:
            source.rest()
