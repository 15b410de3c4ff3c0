"""The task `clean`: delete cached layers, or leftovers in the cloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.image_builder.leftovers import CleanupAction, Leftover, LeftoverKind, Leftovers
from imagebake.azure.model.run_note import RunNote
from imagebake.build import run_notes
from imagebake.build.workspace_bake import resume_image
from imagebake.kernel.console import format_size, print_json, print_table
from imagebake.kernel.context import Context, format_error, open_context
from imagebake.kernel.errors import CloudError, ImagebakeError, UsageError
from imagebake.kernel.flags import Flag
from imagebake.kernel.text.versions import ImageVersion
from imagebake.lab.engine.store import clean as clean_store
from imagebake.lab.local_cloud import make_engine, open_local_backend
from imagebake.lock.artifact_sources import make_fetcher
from imagebake.lock.selection import select_specs
from imagebake.session.session import CloudSession, connect

_HEADER = ("what", "name", "plan", "why")


def clean_cloud(*, plan: bool, as_json: bool) -> None:
    """Print the leftovers in the cloud, and delete them unless *plan* is set."""
    context = open_context(quiet=as_json)
    images = frozenset(spec.name for spec in select_specs(context, "", every=True))
    with connect(context) as session:
        notes = {
            note.template: note
            for name in images
            for note in run_notes.runs_under_way(context, name)
        }
        leftovers = Leftovers(
            clients=session.cloud, images=images, noted=frozenset(notes), now=context.now
        )
        found = (*leftovers.find(), *_runs(session, notes))
        if not as_json:
            _print(found)
        failed = {} if plan else _apply(context, found, notes, leftovers, session)
    if as_json:
        report = [leftover.to_json() | {"failed": failed.get(leftover.id)} for leftover in found]
        print_json({"done": not plan, "leftovers": report})
    if failed:
        raise CloudError(
            f"{len(failed)} of {len(found)} leftovers are still there",
            code="LeftoversStay",
            hint="each has its reason above; the same command tries again",
        )


def _runs(session: CloudSession, notes: dict[str, RunNote]) -> tuple[Leftover, ...]:
    """Return the noted runs without a template: adopt those with a version, forget the others."""
    operations = session.cloud.image_builder.virtual_machine_image_templates
    found = []
    for name, note in notes.items():
        doing = f"read image template {name!r}"
        if session.cloud.find(doing, operations.get, note.resource_group, name):
            continue
        gallery = Gallery(session.cloud, note.gallery)
        version = gallery.version(note.definition, ImageVersion.parse(note.version))
        made = version is not None and version.bake_key == note.bake_key
        act = CleanupAction.ADOPT if made else CleanupAction.FORGET
        why = f"it made version {note.version}" if made else "its template has gone, and no version"
        found.append(Leftover(LeftoverKind.RUN, f"run/{name}", name, act, why))
    return tuple(found)


def _apply(
    context: Context,
    found: Sequence[Leftover],
    notes: dict[str, RunNote],
    leftovers: Leftovers,
    session: CloudSession,
) -> dict[str, str]:
    """Apply the act of every leftover; return the message of those that failed, by id."""
    failed = {}
    for leftover in found:
        try:
            if leftover.act is CleanupAction.DELETE:
                leftovers.delete(leftover)
            elif leftover.act is CleanupAction.ADOPT:
                resume_image(context, notes[leftover.name], session)
            elif leftover.act is CleanupAction.FORGET:
                run_notes.run_notes(context).end(
                    notes[leftover.name].with_changes(state="Gone", message=leftover.why)
                )
        except ImagebakeError as error:
            failed[leftover.id] = error.message
            context.progress.note(format_error(error))
    return failed


def _print(found: Sequence[Leftover]) -> None:
    if not found:
        print("nothing is left over")
        return
    print_table(
        _HEADER, [(leftover.kind, leftover.name, leftover.act, leftover.why) for leftover in found]
    )


def clean(
    budget: Annotated[str, Flag("what to leave of cached bases and layers, in GiB")] = "",
    *,
    cloud: Annotated[bool, Flag("instead: end or delete what bakes left in the cloud")] = False,
    plan: Annotated[bool, Flag("with --cloud: only show what would be done")] = False,
    as_json: Annotated[bool, Flag("with --cloud: print JSON for programs", name="json")] = False,
) -> None:
    """Delete bases and layers, the longest unused first, until the rest fits *budget* GiB.

    With *cloud* it is leftovers in the cloud instead, and with *plan* they are only shown.
    """
    if cloud and budget:
        raise UsageError("--budget is for what is cached here, and --cloud for the cloud")
    if cloud:
        clean_cloud(plan=plan, as_json=as_json)
        return
    if plan or as_json:
        raise UsageError("--plan and --json go with --cloud")
    context = open_context(quiet=False)
    text = budget or context.settings.layer_budget_gb
    try:
        limit = int(float(text) * (1 << 30))
    except (ValueError, OverflowError):
        limit = -1
    if limit < 0:
        raise UsageError(f"{text!r} is not a size", hint="it is a number of GiB")
    engine = make_engine(context.workspace, make_fetcher(context))
    with open_local_backend(context.workspace, context.settings, engine) as session:
        cleaned = clean_store(engine.folder, budget=limit, keep=session.emulator.records())
    freed, left = format_size(cleaned.freed), format_size(cleaned.left)
    print(f"removed {cleaned.removed} layers: {freed} freed, {left} left")
