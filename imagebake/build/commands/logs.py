"""The task `logs`: a build's output by step, with durations and the cause of a failure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from imagebake.azure.client.errors import NotFound
from imagebake.azure.error_catalog.known_error import KnownError
from imagebake.azure.error_catalog.lookup import known_error
from imagebake.azure.model.run_note import RunNote
from imagebake.build import run_notes
from imagebake.build.build_log import BuildLog, LogSource, LogStep, follow_log, split_lines
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import IMAGE, JSON, Flag, Word
from imagebake.kernel.text.redaction import redact
from imagebake.lock.selection import select_specs
from imagebake.session.session import CloudSession, connect

_TAIL = 20
_GOING = ("Running", "Canceling")
_GONE = "Gone"


def logs(
    image: Annotated[str, Word(IMAGE)] = "",
    *,
    follow: Annotated[bool, Flag("print the output as it comes, until the run ends")] = False,
    run: Annotated[
        str, Flag("this run: the beginning of its id, or of the time it began (default: the last)")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print one run of *image*, the last one unless *run* names another."""
    context = open_context(quiet=as_json)
    (spec,) = select_specs(context, image, every=False)
    note = _choose(context, spec.name, run)
    reader = _Reader(BuildLog(_names(note)), aloud=follow and not as_json)
    if note.ended:
        _read(note, reader)
    else:
        with connect(context) as session:
            note = _live(context, note, session, reader, wait=follow)
    log = reader.log
    if as_json:
        print_json(_json(note, log))
    else:
        _print(note, log)


def _choose(context: Context, image: str, run: str) -> RunNote:
    known = run_notes.run_notes(context)
    runs = (*known.ended(image), *run_notes.runs_under_way(context, image))
    if not runs:
        raise UsageError(
            f"no run of {image} was started from here",
            hint=f"./inv bake {image} starts one; az image builder list shows those of others",
        )
    found = [note for note in runs if note.run.startswith(run) or note.begun.startswith(run)]
    if not found:
        shown = ", ".join(f"{note.run[:8] or '-'} ({note.begun})" for note in runs[-5:])
        raise UsageError(f"{image} has no run {run!r}", hint=f"the last ones: {shown}")
    return found[-1]


def _names(note: RunNote) -> Sequence[tuple[str, str]]:
    """The customizers of the run, for a log that does not name them."""
    plan = note.read_plan()
    return tuple((script.name, "shell") for script in plan.customizers) if plan else ()


@dataclass(slots=True)
class _Reader:
    """Parser of a log that, with *aloud*, prints each line as it arrives below its step's name."""

    log: BuildLog
    aloud: bool
    named: int = 0

    def read(self, chunks: Iterable[bytes]) -> None:
        for line in split_lines(chunks):
            text = self.log.feed(redact(line))
            if self.aloud:
                self._name(whole=len(self.log.steps) - (text is None))
                if text is not None:
                    print(f"   {text}", flush=True)

    def _name(self, *, whole: int) -> None:
        """Print the names of steps that are known: the last one's comes with its first line."""
        for step in self.log.steps[self.named : whole]:
            print(f"== {step.kind} {step.name}".rstrip(), flush=True)
            self.named += 1


def _read(note: RunNote, reader: _Reader) -> None:
    path = Path(note.log) if note.log else None
    if path is not None and path.is_file():
        with path.open("rb") as file:
            reader.read(file)


def _live(
    context: Context, note: RunNote, session: CloudSession, reader: _Reader, *, wait: bool
) -> RunNote:
    """Read the log of a run without a recorded end; return the note with the run's state."""
    states = [("", "")]

    def state() -> str | None:
        doing, *states[0:] = _state(session, note)
        return doing

    source = LogSource(
        read=lambda offset: session.logs.read(note.template, offset),
        state=state,
        rest=lambda: session.cloud.patience.sleep(session.cloud.endpoint.polling_seconds),
    )
    state()
    reader.read(follow_log(source, context.progress.note) if wait else iter((source.read(0),)))
    ended = [
        past for past in run_notes.run_notes(context).ended(note.image) if past.begun == note.begun
    ]
    seen, message = states[0]
    return ended[-1] if ended else note.with_changes(state=seen, message=message or None)


def _state(session: CloudSession, note: RunNote) -> tuple[str | None, tuple[str, str]]:
    """Return the run's current activity (None once it has ended), its state and the reason."""
    operations = session.cloud.image_builder.virtual_machine_image_templates
    try:
        template = session.cloud.ask(
            "read the image template", operations.get, note.resource_group, note.template
        )
    except NotFound:
        return None, (_GONE, "its template was deleted")
    status = template["properties"].get("lastRunStatus") or {}
    state = str(status.get("runState") or "not started")
    doing = str(status.get("runSubState") or state) if state in _GOING else None
    return doing, (state, str(status.get("message") or ""))


def _print(note: RunNote, log: BuildLog) -> None:
    state = note.state or "not seen to end"
    print(f"run {note.run or log.run or '-'} of {note.image}, begun {note.begun}: {state}")
    print(f"makes version {note.version}" + (f"; output: {note.log}" if note.log else ""))
    if not log.steps:
        later = " yet: Azure writes it when a build ends." if state in _GOING else "."
        print(f"\nThere is no output{later}")
    else:
        print()
        rows = [
            (str(number), step.name or "-", step.kind, _seconds(step), _outcome(step, state))
            for number, step in enumerate(log.steps, 1)
        ]
        print_table(("#", "step", "kind", "seconds", "outcome"), rows)
    if failed := log.failed:
        _print_failure(failed, note)
    elif note.message and state not in (*_GOING, "Succeeded"):
        known = known_error("", note.message)
        print(f"\n{redact(note.message)}")
        _print_meaning(known, note)


def _print_failure(failed: LogStep, note: RunNote) -> None:
    print(f"\nThe last words of {failed.name or failed.kind}:\n")
    print("\n".join(f"    {line}" for line in failed.lines[-_TAIL:]))
    _print_meaning(failed.meaning(), note)


def _print_meaning(known: KnownError | None, note: RunNote) -> None:
    if known:
        hint = known.hint.replace("IMAGE", note.image)
        print(f"\n  = cause: {known.cause}\n  = hint: {hint}")


def _outcome(step: LogStep, state: str) -> str:
    return "cut off" if step.outcome == "running" and state not in _GOING else step.outcome


def _seconds(step: LogStep) -> str:
    return "-" if step.seconds is None else f"{step.seconds:.0f}"


def _json(note: RunNote, log: BuildLog) -> dict[str, object]:
    return {
        "image": note.image,
        "template": note.template,
        "version": note.version,
        "begun": note.begun,
        "state": note.state,
        "said": redact(note.message) if note.message else None,
        "log": note.log,
        **log.to_json(),
        "run": note.run or log.run,
    }
