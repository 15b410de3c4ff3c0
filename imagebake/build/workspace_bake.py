"""Bake one image of the workspace: plan it, bake it, heal its lock on the way, record the attempt.

`build.bake` knows a plan and the services it is given; this module finds both in the workspace.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import time
from typing import Any

from imagebake.azure.blob.uploads import UploadPlan
from imagebake.azure.model.manifest import BakeResult
from imagebake.azure.model.run_note import RunNote
from imagebake.build import bake, run_notes
from imagebake.build.bake import BuildServices
from imagebake.build.journal import BakeJournal
from imagebake.build.plan import plan_bake
from imagebake.build.preconditions import refuse_windows
from imagebake.build.render.files import rendering_identity
from imagebake.build.render.image_template import render_image_template
from imagebake.kernel.context import Context
from imagebake.kernel.progress import Progress
from imagebake.lock import artifact_sources, locking
from imagebake.lock.selection import fresh_lock, templates
from imagebake.mirror import remote
from imagebake.mirror.local import ArtifactsGone, Mirror
from imagebake.mirror.remote import upload_plan_for
from imagebake.session.session import CloudSession, MirrorOpener
from imagebake.spec.catalogue.components import CATALOGUE, packages_on
from imagebake.spec.lock import Bundle, Lock
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan


def open_journal(context: Context) -> BakeJournal:
    """Return the journal of the bakes that this workspace attempted."""
    return BakeJournal(folder=context.workspace.records, clock=lambda: dt.datetime.now(dt.UTC))


def bake_image(
    context: Context, spec: ImageSpec, session: CloudSession, *, locked: bool, force: bool
) -> BakeResult:
    """Bake *spec* from its lock, and record the attempt in the journal.

    Where the archive no longer has a locked package, the lock is resolved again and the bake
    starts over; with *locked* it raises `ArtifactError` instead.
    """
    if session.local is None:
        # A missing login is found here, before an hour of mirroring.
        with context.progress.step("Sign in to Azure"):
            session.cloud.sign_in()
    lock = fresh_lock(context, spec)
    plan = plan_image(context, spec, lock)
    run_notes.report_other_runs(context, spec.name, plan.template_name)
    with open_journal(context).bake(spec.name, _facts(plan, lock.sha256, session)) as entry:
        while True:
            try:
                refuse_windows(context, spec)
                services = _services(context, session, plan.lock)
                result = bake.bake(
                    plan, session.destination, now=context.now, force=force, services=services
                )
                break
            except ArtifactsGone as error:
                if locked:
                    raise locking.refuse_to_heal(lock, error.gone) from error
                lock = _heal(context, spec, lock, error)
                plan = plan_image(context, spec, lock)
        _record(entry, result)
    return result


def resume_image(context: Context, note: RunNote, session: CloudSession) -> BakeResult:
    """Follow the run of *note* to its end, and record it in the journal as a bake."""
    plan = run_notes.require_plan(note)
    with open_journal(context).bake(note.image, _facts(plan, plan.lock_sha256, session)) as entry:
        services = _services(context, session, plan.lock)
        result = bake.resume(note, plan, session.destination, now=context.now, services=services)
        _record(entry, result)
    return result


def plan_image(context: Context, spec: ImageSpec, lock: Lock) -> BakePlan:
    """Plan a bake of *spec* with the templates of this workspace."""
    plan = plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates(context))
    identity = rendering_identity(context.workspace.templates, CATALOGUE)
    return dataclasses.replace(plan, rendered_by=identity)


def bake_from_plan(
    context: Context, plan: BakePlan, session: CloudSession, *, force: bool
) -> BakeResult:
    """Bake *plan*; raises `ArtifactsGone` where the archive lacks a locked package."""
    refuse_windows(context, plan.spec)
    services = _services(context, session, plan.lock)
    return bake.bake(plan, session.destination, now=context.now, force=force, services=services)


def _facts(plan: BakePlan, lock_sha256: str, session: CloudSession) -> dict[str, str | None]:
    """Return the facts of an attempt that are known when it begins."""
    return {
        "bake_key": plan.bake_key,
        "commit": session.destination.commit,
        "lock_sha256": lock_sha256,
    }


def _record(entry: dict[str, Any], result: BakeResult) -> None:
    entry["outcome"] = "baked" if result.made else "unchanged"
    entry["version"] = str(result.version.version)
    entry["bake_key"] = result.version.bake_key
    entry["seconds"] = result.manifest.seconds if result.made else {}


def _heal(context: Context, spec: ImageSpec, lock: Lock, error: ArtifactsGone) -> Lock:
    """Write a lock with the versions that the archive offers now, and report the moves."""
    context.progress.note(f"{error.message}: locking {spec.name} again")
    archives = artifact_sources.find_machine_archives(context)
    healed, moves = locking.heal(
        spec,
        lock,
        error.gone,
        components=packages_on(spec.distribution),
        archives=archives,
        mirror=artifact_sources.open_mirror(context, archives, lock),
        now=context.now,
        progress=context.progress,
    )
    path = context.workspace.lock_path(spec.name)
    locking.write_lock(path, healed)
    for move in moves:
        context.progress.note(f"  {move}")
    context.progress.note(f"wrote {context.workspace.shown(path)}: have it reviewed")
    return healed


def _services(context: Context, session: CloudSession, lock: Lock) -> BuildServices:
    archives = artifact_sources.find_machine_archives(context)
    mirror = artifact_sources.open_mirror(context, archives, lock)
    return BuildServices(
        cloud=session.cloud,
        mirror=mirror,
        bases=session.bases,
        ship=functools.partial(push_artifacts, session.mirror, mirror, context.progress),
        render=functools.partial(render_image_template, templates=templates(context)),
        content=session.images.content,
        keep_log=session.logs.keep,
        notes=run_notes.run_notes(context),
        locks=context.workspace.state / "locks",
        clock=time.monotonic,
        progress=context.progress,
    )


def build_upload_plan(mirror: Mirror, lock: Lock) -> UploadPlan:
    """List the files that an Azure build of *lock* fetches from the mirror.

    The base image is not among them: the marketplace has it.
    """
    return upload_plan_for(mirror, [Bundle(step.packages) for step in lock.customizing], lock.loose)


def push_artifacts(
    remote_mirror: MirrorOpener | None, mirror: Mirror, progress: Progress, plan: BakePlan
) -> None:
    """Push the files that the build of *plan* fetches to the remote mirror, if there is one."""
    if remote_mirror:
        with remote_mirror() as container:
            files = build_upload_plan(mirror, plan.lock)
            remote.push(files, container=container, progress=progress)
