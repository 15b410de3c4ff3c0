"""The task `runbook`: list, show and rehearse runbooks."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, __file__, open_context
from imagebake.kernel.errors import UsageError, ValidationFailed
from imagebake.kernel.flags import JSON, Flag, Word
from imagebake.kernel.host import process
from imagebake.kernel.host.files import file_lock, write_atomically
from imagebake.lock.selection import find_spec
from imagebake.recovery.faults import (
    FAULTS,
    Commands,
    Fault,
    add_heartbeat,
    bake_and_promote,
    change_content,
    local_context,
)
from imagebake.recovery.runbook import (
    RECORDS,
    CommandRunner,
    Rehearsal,
    RehearsalServices,
    Runbook,
    last_rehearsal,
    load_runbooks,
    rehearse,
)
from imagebake.recovery.sandbox import open_sandbox
from imagebake.rollout.operation import FIRST
from imagebake.session.machines import prepare_local_machines
from imagebake.spec.load import load_all
from imagebake.spec.model.image_spec import ImageSpec

REHEARSE, ALL = "rehearse", "all"
_LAST_WORDS = 2000
_AS_ROOT = "./inv runbook rehearse"


def runbook(
    name: Annotated[
        str, Word("a runbook, or rehearse (default: list them)", actions=("rehearse",))
    ] = "",
    book: Annotated[str, Word("with rehearse: a runbook, or all")] = "",
    *,
    image: Annotated[
        str, Flag("with rehearse: the image it is done with (default: the first that bakes here)")
    ] = "",
    prove: Annotated[
        bool, Flag("with rehearse: bake without proofs", name="no-proof", inverse=True)
    ] = True,
    write: Annotated[bool, Flag("with rehearse: write what was measured into the page")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """List the runbooks, show the one called *name*, or rehearse *book*."""
    context = open_context(quiet=as_json)
    books = load_runbooks(context.workspace.runbooks)
    if name == REHEARSE:
        wanted = books if book == ALL else {book: _find_runbook(books, book)}
        _rehearse_all(context, wanted, image, prove=prove, write=write, as_json=as_json)
    elif name:
        _show(_find_runbook(books, name), last_rehearsal(context, name), as_json=as_json)
    else:
        _list(context, books, as_json=as_json)


def _find_runbook(books: Mapping[str, Runbook], name: str) -> Runbook:
    if name not in books:
        message = f"there is no runbook {name!r}" if name else "say which runbook, or all"
        raise UsageError(message, hint=f"runbooks: {', '.join(books)}")
    return books[name]


def _list(context: Context, books: Mapping[str, Runbook], *, as_json: bool) -> None:
    if as_json:
        runbooks = {
            runbook.name: {**runbook.facts, "last_rehearsal": last_rehearsal(context, runbook.name)}
            for runbook in books.values()
        }
        print_json(runbooks)
        return
    rows = (
        (
            runbook.name,
            runbook.facts["trigger"],
            runbook.facts["rto"],
            _spoken(last_rehearsal(context, runbook.name)),
        )
        for runbook in books.values()
    )
    print_table(("runbook", "when", "objective", "last rehearsed here"), rows)


def _show(book: Runbook, last: Mapping[str, Any] | None, *, as_json: bool) -> None:
    if as_json:
        print_json({**book.facts, "text": book.text, "last_rehearsal": last})
        return
    print(book.text.rstrip())
    print(f"\nlast rehearsed here: {_spoken(last)}")


def _spoken(last: Mapping[str, Any] | None) -> str:
    if last is None:
        return "never"
    verdict = "in time" if last["passed"] else f"failed: {last['why']}"
    return f"{last['began'][:10]}, {last['seconds']:.1f} s, {verdict}"


def _rehearse_all(
    context: Context,
    books: Mapping[str, Runbook],
    image: str,
    *,
    prove: bool,
    write: bool,
    as_json: bool,
) -> None:
    spec = find_spec(context, image) if image else _first(context)
    made = []
    for runbook in books.values():
        done = rehearse_one(context, runbook, spec, prove=prove)
        _keep(context, runbook, done, write=write)
        made.append(done)
        if not as_json:
            _print(runbook, done)
    if as_json:
        print_json([rehearsal.to_json() for rehearsal in made])
    if failed := [rehearsal for rehearsal in made if rehearsal.why]:
        raise ValidationFailed(
            f"the rehearsal of {failed[0].name} failed: {failed[0].why}",
            hint=f"./inv runbook {failed[0].name} shows the page; mend it, or what it calls",
        )


def _first(context: Context) -> ImageSpec:
    specs = load_all(context.workspace.specs, root=context.workspace.root).values()
    found = next((spec for spec in specs if context.workspace.lock_path(spec.name).exists()), None)
    if found is None:
        raise UsageError("no image is locked", hint="./inv lock IMAGE")
    return found


def rehearse_one(context: Context, book: Runbook, spec: ImageSpec, *, prove: bool) -> Rehearsal:
    """Rehearse *book* with *spec*'s image in a scratch copy of *context*, which goes afterwards."""
    if book.name not in FAULTS:
        raise UsageError(f"nothing provokes {book.name} here", hint=f"known: {', '.join(FAULTS)}")
    trouble = FAULTS[book.name]
    if trouble.beats:
        prepare_local_machines(
            replace(context, settings=replace(context.settings, cloud="local")), _AS_ROOT
        )
    with open_sandbox(context, book.name) as made:
        here = local_context(replace(context, workspace=made.workspace), trouble.settings)
        run = functools.partial(_run, here, trouble)
        with context.progress.step(f"Bake and promote {spec.name} in a scratch copy"):
            _prepare(here, trouble, spec, run, prove=prove)
        return rehearse(
            book,
            RehearsalServices(
                run=lambda settings, words: run(settings, _proving(words, prove=prove)),
                inject_fault=lambda: trouble.inject_fault(here, spec),
                values=_values(here, spec),
                machine=_machine(),
                now=functools.partial(dt.datetime.now, dt.UTC),
                clock=time.monotonic,
                progress=context.progress,
            ),
        )


def _prepare(
    here: Context, trouble: Fault, spec: ImageSpec, run: CommandRunner, *, prove: bool
) -> None:
    """Bring the scratch copy to the state that the trouble finds."""
    if trouble.beats:
        add_heartbeat(here, spec)
    more = trouble.before(spec)
    _must(run, bake_and_promote(spec), prove=prove)
    if any(words[0] == "bake" for words in more):
        change_content(here, spec)
    if more:
        _must(run, more, prove=prove)


def _must(run: CommandRunner, commands: Commands, *, prove: bool) -> None:
    """Run *commands* in one process, which is quicker than one each."""
    words = tuple(word for each in commands for word in _proving(each, prove=prove))
    code, output = run({}, words)
    if code:
        raise ValidationFailed(
            f"the rehearsal cannot begin: {' '.join(words)} ended with {code}", hint=output.strip()
        )


def _proving(words: Sequence[str], *, prove: bool) -> tuple[str, ...]:
    unproved = ("--no-proof",) if words[0] in ("bake", "validate") and not prove else ()
    return (*words, *unproved)


def _values(here: Context, spec: ImageSpec) -> dict[str, str]:
    return {
        "IMAGE": spec.name,
        "RING": spec.rollout_rings[-1].name,
        "REGION": here.settings.location,
    }


def _run(
    here: Context, trouble: Fault, settings: Mapping[str, str], words: Sequence[str]
) -> tuple[int, str]:
    """Run one command in the scratch copy; it dies with this process."""
    command = [sys.executable, "-m", "imagebake", *words]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    ours = {
        "ROOT": str(here.workspace.root),
        "STATE": str(here.workspace.state),
        "CLOUD": "local",
        "IN_USE": FIRST,
        **trouble.settings,
    }
    done = process.run(
        ["setpriv", "--pdeathsig", "KILL", *command],
        env={
            **kept,
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            **{f"IMAGEBAKE_{name}": value for name, value in ours.items()},
            **settings,
        },
        cwd=here.workspace.root,
        check=False,
    )
    return done.code, (done.stderr.decode(errors="replace") + done.text)[-_LAST_WORDS:]


def _machine() -> str:
    cores = os.cpu_count() or 1
    return f"{platform.system()} {platform.machine()}, {cores} cores"


def _keep(context: Context, book: Runbook, done: Rehearsal, *, write: bool) -> None:
    """Record a rehearsal, and with *write* date the page with it."""
    path = context.workspace.records / RECORDS
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(done.to_json(), sort_keys=True, separators=(",", ":"))
    with file_lock(context.workspace.state / "locks" / "rehearsals.lock"), path.open("ab") as file:
        cut = b"\n" if path.stat().st_size and not path.read_bytes().endswith(b"\n") else b""
        file.write(cut + line.encode() + b"\n")
    if write and not done.why:
        page = context.workspace.runbooks / f"{book.name}.md"
        write_atomically(page, book.with_measurement(done.measurement).encode())


def _print(book: Runbook, done: Rehearsal) -> None:
    rows = (
        (step.part, step.command, str(step.code), f"{step.seconds:.1f} s") for step in done.steps
    )
    print(f"{book.title}")
    print_table(("part", "command", "ended with", "took"), rows)
    verdict = f"failed: {done.why}" if done.why else "as the page says, and in time"
    print(f"{done.measurement}: {verdict}\n")
