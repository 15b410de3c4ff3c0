"""`bake`: from specs and locks to image versions."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from imagebake.attest import command
from imagebake.azure.model.manifest import BakeResult
from imagebake.azure.model.run_note import RunNote
from imagebake.build import run_notes as resuming
from imagebake.build.bake import bake as bake_plan
from imagebake.build.bake import resume as resume_run
from imagebake.build.commands import mirror as mirroring
from imagebake.build.bake import Hands
from imagebake.build.journal import Journal
from imagebake.build.plan import plan_bake
from imagebake.build.preconditions import left_out, refuse_windows
from imagebake.build.render.files import rendering_identity
from imagebake.build.render.image_template import render_image_template
from imagebake.kernel import context
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Site
from imagebake.kernel.errors import BakeFailed, ImagebakeError, UsageError, ValidationFailed
from imagebake.kernel.flags import IMAGE, JSON, Flag, Word
from imagebake.kernel.host import system_packages
from imagebake.lab.proof_result import Wish
from imagebake.lock import artifact_sources
from imagebake.lock import locking as locks
from imagebake.lock.heal import heal
from imagebake.lock.selection import chosen, fresh_lock, templates
from imagebake.mirror.local import ArtifactsGone
from imagebake.pins import review_due
from imagebake.proof import first_boots
from imagebake.proof.records import FAILED, PASSED
from imagebake.proof.validate import report_proof
from imagebake.session import session
from imagebake.session.session import End
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan

UNPROVEN = "not proven"


def bake(
    image: Annotated[str, Word(IMAGE)] = "",
    *,
    every: Annotated[bool, Flag("every spec that this machine can bake", name="all")] = False,
    locked: Annotated[
        bool, Flag("refuse, with exit 5, when the archive no longer has what the lock names")
    ] = False,
    force: Annotated[
        bool, Flag("bake even though a healthy version of the same content exists")
    ] = False,
    resume: Annotated[
        bool, Flag("end the run that a lost terminal or a kill left behind; start nothing")
    ] = False,
    prove: Annotated[
        bool, Flag("do not prove the first boot of what was baked", name="no-proof", inverse=True)
    ] = True,
    emergency: Annotated[
        str, Flag("why this cannot wait for the late review of a pin; becomes a tag")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Bake the chosen images one after the other, and print what there is then.

    With *resume* nothing is started: runs that are under way are followed to their end.
    With *prove* every version that was made gets its proof, where this machine can; so does
    one that was there without. An *emergency* bakes pins whose review is late, and its reason
    becomes a tag of what is made.
    """
    site = context.site(quiet=as_json)
    emergency = review_due.require_reason(emergency)
    specs = chosen(site, image, every=every)
    if not every:
        refuse_windows(site, specs[0])
    if site.settings.cloud == "local":
        context.provide(system_packages.BAKE, progress=site.progress)
    command.signer_of(site)  # a key that is none is found before anything is built
    if resume and force:
        raise UsageError("--resume starts nothing, and --force bakes anew: give one of them")
    work = _Work(site, locked=locked, force=force, prove=prove, emergency=emergency)
    with session.connect(site) as connected:
        destination = dataclasses.replace(connected.destination, emergency=emergency or None)
        end = dataclasses.replace(connected, destination=destination)
        resuming.require_providers(site, end)
        for spec in specs:
            reason = left_out(site, spec) if every else None
            if every and resume and not reason and not resuming.under_way(site, spec.name):
                reason = "no run of it is under way"
            if reason:
                work.left[spec.name] = reason
            elif resume:
                work.resume(spec, end, go_on=every)
            else:
                work.bake(spec, end, go_on=every)
    work.print(as_json=as_json)
    work.refuse(len(specs))


@dataclass(slots=True)
class _Work:
    site: Site
    locked: bool
    force: bool
    prove: bool
    emergency: str
    proofs: dict[str, tuple[str, str]] = field(default_factory=dict)
    done: list[BakeResult] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    failed: dict[str, ImagebakeError] = field(default_factory=dict)

    def bake(self, spec: ImageSpec, end: End, *, go_on: bool) -> None:
        """Bake one image; with *go_on*, a failure is kept for the end."""
        self.site.progress.note(f"bake {spec.name}")
        with self._kept(spec.name, go_on=go_on):
            today = self.site.now.date()
            for said in review_due.require_reviewed(spec, today=today, emergency=self.emergency):
                self.site.progress.note(said)
            result = bake_one(self.site, spec, end, locked=self.locked, force=self.force)
            self._done(spec, result, end)

    def resume(self, spec: ImageSpec, end: End, *, go_on: bool) -> None:
        """End the runs of one image that are under way."""
        self.site.progress.note(f"resume {spec.name}")
        with self._kept(spec.name, go_on=go_on):
            for note in resuming.require_under_way(self.site, spec, end):
                planned = resuming.require_plan(note).spec
                self._done(planned, resume_one(self.site, note, end), end)

    @contextlib.contextmanager
    def _kept(self, image: str, *, go_on: bool) -> Iterator[None]:
        try:
            yield
        except ImagebakeError as error:
            if not go_on:
                raise
            self.failed[image] = error
            self.site.progress.note(context.explain(error))

    def _done(self, spec: ImageSpec, result: BakeResult, end: End) -> None:
        self.done.append(result)
        self._attest(result, end)
        self.proofs[spec.name] = self._proof(spec, result, end)

    def _attest(self, result: BakeResult, end: End) -> None:
        """Keep what is said of a version that was made here; what is in Azure cannot be read."""
        if result.made and result.manifest.content_sha256:
            with self.site.progress.step("Write SBOM and provenance"):
                attestor = command.attestor_of(self.site, result.version, end)
                attestor.attest(anew=True)

    def _proof(self, spec: ImageSpec, result: BakeResult, end: End) -> tuple[str, str]:
        """The verdict over what was baked and, where there is none, why: kept, or reached now."""
        keeper = first_boots.keeper(self.site, result.version)
        if kept := keeper.verdict():
            for reason in keeper.reasons():
                self.site.progress.note(reason)
            return kept, ""
        if not self.prove:
            return UNPROVEN, "--no-proof"
        facts = first_boots.prove_version(self.site, spec, result.version, end, Wish())
        report = report_proof(facts)
        if report.findings:
            self.site.progress.note(str(report))
        if facts.proof is None:
            return UNPROVEN, facts.hindrance
        return (PASSED if facts.proof.passed else FAILED), ""

    def print(self, *, as_json: bool) -> None:
        """Say what was made, what was there, and what was left out."""
        if as_json:
            print_json(
                {
                    "images": [
                        result.to_json() | {"proof": self.proofs.get(result.image, (UNPROVEN,))[0]}
                        for result in self.done
                    ],
                    "left": self.left,
                    "failed": {name: error.message for name, error in self.failed.items()},
                }
            )
            return
        rows = [(*_row(result), self._spoken_proof(result.image)) for result in self.done]
        rows += [(name, "-", "left", reason, "-") for name, reason in self.left.items()]
        rows += [(name, "-", "failed", error.message, "-") for name, error in self.failed.items()]
        print_table(("image", "version", "outcome", "content, or why not", "offline proof"), rows)

    def refuse(self, count: int) -> None:
        """Raise what went wrong with some of *count* images, if anything did."""
        if self.failed:
            raise BakeFailed(
                f"{len(self.failed)} of {count} images failed: {', '.join(self.failed)}",
                hint="each has its reason above; ./inv bake IMAGE bakes one alone",
            )
        if unproven := [name for name, (verdict, _) in self.proofs.items() if verdict == FAILED]:
            raise ValidationFailed(
                f"{', '.join(unproven)}: the offline proof failed",
                hint=f"./inv validate {unproven[0]} says why; ./inv ledger {unproven[0]}",
            )

    def _spoken_proof(self, image: str) -> str:
        verdict, why = self.proofs.get(image, (UNPROVEN, ""))
        return f"{verdict}: {why}" if why else verdict


def journal(site: Site) -> Journal:
    """The records of this workspace's bakes."""
    return Journal(folder=site.workspace.records, clock=lambda: dt.datetime.now(dt.UTC))


def bake_one(site: Site, spec: ImageSpec, end: End, *, locked: bool, force: bool) -> BakeResult:
    """Bake *spec* from its lock, which heals when the archive has moved on, unless *locked*.

    The attempt and how it ended are recorded. There is a token before anything is begun.
    """
    if end.local is None:
        with site.progress.step("Sign in to Azure"):
            end.cloud.sign_in()
    lock = fresh_lock(site, spec)
    resuming.tell_of_others(site, spec.name, plan_of(site, spec, lock).template_name)
    facts = {
        "bake_key": plan_of(site, spec, lock).bake_key,
        "commit": end.destination.commit,
        "lock_sha256": lock.sha256,
    }
    with journal(site).bake(spec.name, facts) as ended:
        result = _bake_one(site, spec, lock, end, locked=locked, force=force)
        ended["outcome"] = "baked" if result.made else "unchanged"
        ended["version"] = str(result.version.version)
        ended["bake_key"] = result.version.bake_key
        ended["seconds"] = result.manifest.seconds if result.made else {}
    return result


def resume_one(site: Site, note: RunNote, end: End) -> BakeResult:
    """End the run of *note*, and record the attempt as a bake's."""
    plan = resuming.require_plan(note)
    facts = {
        "bake_key": plan.bake_key,
        "commit": end.destination.commit,
        "lock_sha256": plan.lock_sha256,
    }
    with journal(site).bake(note.image, facts) as ended:
        hands = _hands(site, end, plan.lock)
        result = resume_run(note, plan, end.destination, now=site.now, hands=hands)
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
            return attempt(site, plan_of(site, spec, lock), end, force=force)
        except ArtifactsGone as error:
            if locked:
                raise locks.refuse_to_heal(lock, error.gone) from error
            lock = heal(site, spec, lock, error)


def plan_of(site: Site, spec: ImageSpec, lock: Lock) -> BakePlan:
    """The plan of *spec* with the templates of this workspace."""
    plan = plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates(site))
    identity = rendering_identity(site.workspace.templates, CATALOGUE)
    return dataclasses.replace(plan, rendered_by=identity)


def attempt(site: Site, plan: BakePlan, end: End, *, force: bool) -> BakeResult:
    """Carry out *plan* in this workspace; raises `ArtifactsGone` where the archive moved on."""
    refuse_windows(site, plan.spec)
    hands = _hands(site, end, plan.lock)
    return bake_plan(plan, end.destination, now=site.now, force=force, hands=hands)


def _hands(site: Site, end: End, lock: Lock) -> Hands:
    mirror = artifact_sources.mirror(site, artifact_sources.archives(site), lock)
    return Hands(
        cloud=end.cloud,
        mirror=mirror,
        bases=end.bases,
        ship=functools.partial(mirroring.ship, end.mirror, mirror, site.progress),
        render=functools.partial(render_image_template, templates=templates(site)),
        content=end.images.content,
        keep_log=end.logs.keep,
        notes=resuming.notes(site),
        locks=site.workspace.state / "locks",
        clock=time.monotonic,
        progress=site.progress,
    )


def _row(result: BakeResult) -> tuple[str, ...]:
    made = "baked" if result.made else "unchanged"
    seconds = sum(result.manifest.seconds.values())
    content = result.manifest.content_sha256
    about = f"sha256:{content[:16]}" if content else "in Azure"
    if result.made:
        about += f" in {seconds:.1f} s"
    return result.image, str(result.version.version), made, about
