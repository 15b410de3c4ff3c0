"""`logs`: a build's output, split by step, with what each took and why one failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from imagebake import app, ends
from imagebake.app import Site
from imagebake.cloud.answers import NotFound
from imagebake.commands import resuming
from imagebake.commands.output import print_json, print_table
from imagebake.commands.selection import chosen
from imagebake.ends import End
from imagebake.errors import UsageError
from imagebake.following import Source, follow
from imagebake.model.build_log import BuildLog, LogStep, lines_of
from imagebake.model.redaction import redact_output
from imagebake.model.run_note import RunNote

_TAIL = 20
_GOING = ("Running", "Canceling")


def logs(image: str, *, follow: bool, run: str, as_json: bool) -> None:
    """Print one run of *image*, the last one unless *run* names another."""
    site = app.site(quiet=as_json)
    (spec,) = chosen(site, image, every=False)
    note = _choose(site, spec.name, run)
    log = BuildLog(_names(note))
    say: Callable[[LogStep | str | None], None] = _print_line if follow else _nothing
    if note.ended:
        log = _read(note, log, say)
    else:
        with ends.connect(site) as end:
            note = _live(site, note, end, log, say, wait=follow)
    if as_json:
        print_json(_json(note, log))
    else:
        _print(note, log)


def _choose(site: Site, image: str, run: str) -> RunNote:
    known = resuming.notes(site)
    runs = (*known.past(image), *resuming.under_way(site, image))
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


def _read(note: RunNote, log: BuildLog, say: Callable[[LogStep | str | None], None]) -> BuildLog:
    path = Path(note.log) if note.log else None
    if path is None or not path.is_file():
        return log
    with path.open("rb") as file:
        for line in lines_of(file):
            say(log.feed(redact_output(line)))
    return log


def _live(
    site: Site,
    note: RunNote,
    end: End,
    log: BuildLog,
    say: Callable[[LogStep | str | None], None],
    *,
    wait: bool,
) -> RunNote:
    """Read the log of a run that nobody saw end; returns the note with the run's state."""
    states: list[str] = []
    source = Source(
        read=lambda offset: end.logs.read(note.template, offset),
        state=lambda: _state(end, note, states),
        rest=lambda: end.cloud.patience.sleep(end.cloud.endpoint.polling_seconds),
    )
    chunks: Iterable[bytes] = follow(source, site.progress.note) if wait else _once(source)
    for line in lines_of(chunks):
        say(log.feed(redact_output(line)))
    if not wait:
        source.state()
    ended = [one for one in resuming.notes(site).past(note.image) if one.begun == note.begun]
    return ended[-1] if ended else note.with_changes(state=states[-1])


def _once(source: Source) -> Iterator[bytes]:
    yield source.read(0)


def _state(end: End, note: RunNote, states: list[str]) -> str | None:
    """What the run is doing, None once it is over; *states* gets its state."""
    operations = end.cloud.image_builder.virtual_machine_image_templates
    try:
        template = end.cloud.ask(
            "read the image template", operations.get, note.resource_group, note.template
        )
    except NotFound:
        states.append("gone: its template was deleted")
        return None
    status = template["properties"].get("lastRunStatus") or {}
    state = str(status.get("runState") or "not started")
    states.append(state)
    return str(status.get("runSubState") or state) if state in _GOING else None


def _nothing(_: LogStep | str | None) -> None:
    """Say nothing of it now."""


def _print_line(part: LogStep | str | None) -> None:
    if isinstance(part, LogStep):
        print(f"== {part.kind} {part.name}".rstrip(), flush=True)
    elif part is not None:
        print(f"   {part}", flush=True)


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
            (str(number), step.name or "-", step.kind, _seconds(step), step.outcome)
            for number, step in enumerate(log.steps, 1)
        ]
        print_table(("#", "step", "kind", "seconds", "outcome"), rows)
    if failed := log.failed:
        _print_failure(failed, note)
    elif note.said and note.state != "Succeeded":
        print(f"\n{redact_output(note.said)}")


def _print_failure(failed: LogStep, note: RunNote) -> None:
    print(f"\nThe last words of {failed.name or failed.kind}:\n")
    print("\n".join(f"    {line}" for line in failed.lines[-_TAIL:]))
    if known := failed.meaning():
        hint = known.hint.replace("IMAGE", note.image)
        print(f"\n  = cause: {known.cause}\n  = hint: {hint}")


def _seconds(step: LogStep) -> str:
    return "-" if step.seconds is None else f"{step.seconds:.0f}"


def _json(note: RunNote, log: BuildLog) -> dict[str, object]:
    return {
        "image": note.image,
        "template": note.template,
        "version": note.version,
        "begun": note.begun,
        "state": note.state,
        "said": redact_output(note.said) if note.said else None,
        "log": note.log,
        **log.to_json(),
        "run": note.run or log.run,
    }
