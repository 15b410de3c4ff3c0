"""`clean`: give back the room of what no image version needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.image_builder.leftovers import Act, Kind, Leftover, Leftovers
from imagebake.azure.model.run_note import RunNote
from imagebake.build import run_notes
from imagebake.build.commands.bake import resume_one
from imagebake.kernel import context
from imagebake.kernel.console import print_json, print_table, size
from imagebake.kernel.context import Site
from imagebake.kernel.errors import CloudError, ImagebakeError, UsageError
from imagebake.kernel.flags import Flag
from imagebake.kernel.text.versions import ImageVersion
from imagebake.lab.engine.clean import clean as clean_store
from imagebake.lab.local_cloud import local_end, make_engine
from imagebake.lock.artifact_sources import fetcher
from imagebake.lock.selection import chosen
from imagebake.session import session
from imagebake.session.session import End

_HEADER = ("what", "name", "plan", "why")


def clean_cloud(*, plan: bool, as_json: bool) -> None:
    """Print what is left over and, unless only the *plan* is wanted, carry that out."""
    site = context.site(quiet=as_json)
    images = frozenset(spec.name for spec in chosen(site, "", every=True))
    with session.connect(site) as end:
        notes = {note.template: note for name in images for note in run_notes.under_way(site, name)}
        leftovers = Leftovers(
            clients=end.cloud, images=images, noted=frozenset(notes), now=site.now
        )
        found = (*leftovers.find(), *_runs(end, notes))
        if not as_json:
            _print(found)
        failed = {} if plan else _carry_out(site, found, notes, leftovers, end)
    if as_json:
        told = [one.to_json() | {"failed": failed.get(one.id)} for one in found]
        print_json({"done": not plan, "leftovers": told})
    if failed:
        raise CloudError(
            f"{len(failed)} of {len(found)} leftovers are still there",
            code="LeftoversStay",
            hint="each has its reason above; the same command tries again",
        )


def _runs(end: End, notes: dict[str, RunNote]) -> tuple[Leftover, ...]:
    """Runs whose template has gone: with a version they are ended, without they are forgotten."""
    operations = end.cloud.image_builder.virtual_machine_image_templates
    found = []
    for name, note in notes.items():
        doing = f"read image template {name!r}"
        if end.cloud.find(doing, operations.get, note.resource_group, name):
            continue
        gallery = Gallery(end.cloud, note.gallery)
        version = gallery.version(note.definition, ImageVersion.parse(note.version))
        made = version is not None and version.bake_key == note.bake_key
        act = Act.ADOPT if made else Act.FORGET
        why = f"it made version {note.version}" if made else "its template has gone, and no version"
        found.append(Leftover(Kind.RUN, f"run/{name}", name, act, why))
    return tuple(found)


def _carry_out(
    site: Site,
    found: Sequence[Leftover],
    notes: dict[str, RunNote],
    leftovers: Leftovers,
    end: End,
) -> dict[str, str]:
    """Do what the plan says, each on its own; returns what failed and why."""
    failed = {}
    for one in found:
        try:
            if one.act is Act.DELETE:
                leftovers.delete(one)
            elif one.act is Act.ADOPT:
                resume_one(site, notes[one.name], end)
            elif one.act is Act.FORGET:
                run_notes.notes(site).end(notes[one.name].with_changes(state="Gone", said=one.why))
        except ImagebakeError as error:
            failed[one.id] = error.message
            site.progress.note(context.explain(error))
    return failed


def _print(found: Sequence[Leftover]) -> None:
    if not found:
        print("nothing is left over")
        return
    print_table(_HEADER, [(one.kind, one.name, one.act, one.why) for one in found])


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
    site = context.site(quiet=False)
    told = budget or site.settings.layer_budget_gb
    try:
        limit = int(float(told) * (1 << 30))
    except (ValueError, OverflowError):
        limit = -1
    if limit < 0:
        raise UsageError(f"{told!r} is not a size", hint="it is a number of GiB")
    engine = make_engine(site.workspace, fetcher(site))
    with local_end(site.workspace, site.settings, engine) as end:
        cleaned = clean_store(engine.folder, budget=limit, keep=end.emulator.records())
    freed, left = size(cleaned.freed), size(cleaned.left)
    print(f"removed {cleaned.removed} layers: {freed} freed, {left} left")
