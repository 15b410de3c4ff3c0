"""TODO docstring."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import time

from imagebake.azure.blob.uploads import Shipment
from imagebake.azure.model.manifest import BakeResult
from imagebake.azure.model.run_note import RunNote
from imagebake.build import run_notes as resuming
from imagebake.build.bake import BuildServices
from imagebake.build.bake import bake as bake_plan
from imagebake.build.bake import resume as resume_run
from imagebake.build.commands import mirror as mirroring
from imagebake.build.journal import BakeJournal
from imagebake.build.plan import plan_bake
from imagebake.build.preconditions import refuse_windows
from imagebake.build.render.files import rendering_identity
from imagebake.build.render.image_template import render_image_template
from imagebake.kernel.context import Site
from imagebake.kernel.progress import Progress
from imagebake.lock import artifact_sources
from imagebake.lock import locking as locks
from imagebake.lock.heal import heal
from imagebake.lock.selection import fresh_lock, templates
from imagebake.mirror import remote as depot
from imagebake.mirror.local import ArtifactsGone, Mirror
from imagebake.mirror.upload_plan import shipment
from imagebake.session.session import End, MirrorOpener
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import Bundle, Lock
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan


def open_journal(site: Site) -> BakeJournal:
    """The records of this workspace's bakes."""
    return BakeJournal(folder=site.workspace.records, clock=lambda: dt.datetime.now(dt.UTC))


def bake_image(site: Site, spec: ImageSpec, end: End, *, locked: bool, force: bool) -> BakeResult:
    """Bake *spec* from its lock, which heals when the archive has moved on, unless *locked*.

    The attempt and how it ended are recorded. There is a token before anything is begun.
    """
    if end.local is None:
        with site.progress.step("Sign in to Azure"):
            end.cloud.sign_in()
    lock = fresh_lock(site, spec)
    resuming.report_other_runs(site, spec.name, plan_image(site, spec, lock).template_name)
    facts = {
        "bake_key": plan_image(site, spec, lock).bake_key,
        "commit": end.destination.commit,
        "lock_sha256": lock.sha256,
    }
    with open_journal(site).bake(spec.name, facts) as ended:
        result = _bake_one(site, spec, lock, end, locked=locked, force=force)
        ended["outcome"] = "baked" if result.made else "unchanged"
        ended["version"] = str(result.version.version)
        ended["bake_key"] = result.version.bake_key
        ended["seconds"] = result.manifest.seconds if result.made else {}
    return result


def resume_image(site: Site, note: RunNote, end: End) -> BakeResult:
    """End the run of *note*, and record the attempt as a bake's."""
    plan = resuming.require_plan(note)
    facts = {
        "bake_key": plan.bake_key,
        "commit": end.destination.commit,
        "lock_sha256": plan.lock_sha256,
    }
    with open_journal(site).bake(note.image, facts) as ended:
        hands = _hands(site, end, plan.lock)
        result = resume_run(note, plan, end.destination, now=site.now, services=hands)
        ended["outcome"] = "baked" if result.made else "unchanged"
        ended["version"] = str(result.version.version)
        ended["bake_key"] = result.version.bake_key
        ended["seconds"] = result.manifest.seconds if result.made else {}
    return result


def _bake_one(
    site: Site, spec: ImageSpec, lock: Lock, end: End, *, locked: bool, force: bool
) -> BakeResult:
    while True:
        try:
            return bake_from_plan(site, plan_image(site, spec, lock), end, force=force)
        except ArtifactsGone as error:
            if locked:
                raise locks.refuse_to_heal(lock, error.gone) from error
            lock = heal(site, spec, lock, error)


def plan_image(site: Site, spec: ImageSpec, lock: Lock) -> BakePlan:
    """The plan of *spec* with the templates of this workspace."""
    plan = plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates(site))
    identity = rendering_identity(site.workspace.templates, CATALOGUE)
    return dataclasses.replace(plan, rendered_by=identity)


def bake_from_plan(site: Site, plan: BakePlan, end: End, *, force: bool) -> BakeResult:
    """Carry out *plan* in this workspace; raises `ArtifactsGone` where the archive moved on."""
    refuse_windows(site, plan.spec)
    hands = _hands(site, end, plan.lock)
    return bake_plan(plan, end.destination, now=site.now, force=force, services=hands)


def _hands(site: Site, end: End, lock: Lock) -> BuildServices:
    mirror = artifact_sources.mirror(site, artifact_sources.archives(site), lock)
    return BuildServices(
        cloud=end.cloud,
        mirror=mirror,
        bases=end.bases,
        ship=functools.partial(mirroring.ship, end.mirror, mirror, site.progress),
        render=functools.partial(render_image_template, templates=templates(site)),
        content=end.images.content,
        keep_log=end.logs.keep,
        notes=resuming.run_notes(site),
        locks=site.workspace.state / "locks",
        clock=time.monotonic,
        progress=site.progress,
    )


def build_shipment(mirror: Mirror, lock: Lock) -> Shipment:
    """What an Azure build of *lock* fetches; all but its base, which the marketplace has."""
    return shipment(mirror, [Bundle(step.packages) for step in lock.customizing], lock.loose)


def push_artifacts(
    opened: MirrorOpener | None, here: Mirror, progress: Progress, plan: BakePlan
) -> None:
    """Have what the build of *plan* fetches where it fetches it, if that is not *here*."""
    if opened:
        with opened() as container:
            depot.push(build_shipment(here, plan.lock), container=container, progress=progress)
