"""Bake one image version: mirror, build, replicate, record; or find an existing one."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import OutcomeUnknown
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.error_catalog.lookup import known_error
from imagebake.azure.image_builder.image_templates import ImageTemplates
from imagebake.azure.image_builder.output_version import OutputVersion
from imagebake.azure.image_builder.runs import Run, ended_how
from imagebake.azure.model.gallery import (
    EVERYWHERE,
    TAG_BAKE_KEY,
    TAG_COMMIT,
    TAG_EMERGENCY,
    TAG_LOCK,
    TAG_RETIRED,
    TAG_REVOKED,
    TAG_REVOKED_REASON,
    TAG_SPEC,
    GalleryVersion,
    held_tag,
    next_version,
    read_revoked,
)
from imagebake.azure.model.manifest import BakeManifest, BakeResult, read_manifest, record_name
from imagebake.azure.model.run_note import RunNote, plan_text
from imagebake.build.run_notes import RunNotes
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.kernel.errors import BakeFailed, RolloutRefused
from imagebake.kernel.host.files import exclusive_lock
from imagebake.kernel.progress import Progress, Step
from imagebake.kernel.text.versions import ImageVersion
from imagebake.mirror.local import Mirror
from imagebake.session.session import Destination, SourceImages
from imagebake.spec.plan import PLAN, BakePlan, Delivery, plan_record

DISTRIBUTION_SECONDS = 2 * 3600.0
"""Time allowed for replication, on top of the spec's build timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildServices:
    """Clients and callbacks that a bake uses.

    *ship* uploads the plan's artifacts to where the build reads them. *content* returns the
    digest of a version's root file system, or None. *keep_log* saves the log of a template's
    last run beyond the template. *locks* is a directory; *clock* counts seconds.
    """

    cloud: Clients
    mirror: Mirror
    bases: SourceImages
    ship: Callable[[BakePlan], None]
    render: Callable[[BakePlan, Delivery], bytes]
    content: Callable[[str], str | None]
    keep_log: Callable[[str], Path | None]
    notes: RunNotes
    locks: Path
    clock: Callable[[], float]
    progress: Progress


@dataclass(frozen=True, slots=True)
class RevokedContent:
    """A revoked version; content with the same bake key is revoked with it."""

    version: GalleryVersion

    @property
    def ring(self) -> str:
        """The first ring that it is revoked for."""
        return read_revoked(self.version.tags[TAG_REVOKED])[0]

    @property
    def everywhere(self) -> bool:
        """Whether it is revoked for every ring."""
        return self.ring == EVERYWHERE

    @property
    def sentence(self) -> str:
        """The revocation and its reason, as a sentence."""
        why = self.version.tags.get(TAG_REVOKED_REASON, "no reason was given")
        where = "" if self.everywhere else f" from ring {self.ring} on"
        name = f"{self.version.definition}@{self.version.version}"
        return f"{name} has the same content and is revoked{where}: {why}"


def find_revoked_content(
    versions: Iterable[GalleryVersion], bake_key: str
) -> RevokedContent | None:
    """Return the revoked version with *bake_key*; of several the one with the widest scope."""
    found = [
        RevokedContent(version)
        for version in versions
        if version.bake_key == bake_key and TAG_REVOKED in version.tags
    ]
    return max(found, key=lambda content: content.everywhere, default=None)


def reusable_versions(versions: Iterable[GalleryVersion], bake_key: str) -> list[GalleryVersion]:
    """Return the versions with *bake_key* that are usable and not retired.

    A version whose replication is under way is included: the bake waits for it.
    """
    there = (version for version in versions if version.state == "Succeeded" or version.coming)
    return [
        version
        for version in there
        if version.bake_key == bake_key and TAG_RETIRED not in version.tags
    ]


def bake(
    plan: BakePlan,
    to: Destination,
    *,
    now: dt.datetime,
    force: bool = False,
    services: BuildServices,
) -> BakeResult:
    """Carry out *plan*, unless a healthy version with its bake key exists.

    An interrupted bake is picked up: its template is adopted or deleted, and a version that it
    finished is recorded instead of being built again. Bakes of the same image on this machine
    run one after the other.
    """
    work = ImageBuild(plan, to, now, services)
    if there := work.find(force=force):
        return there
    with _alone(plan.spec.name, services):
        # Another bake may have finished the version while this one waited for the lock.
        if not force and (there := work.find(force=False)):
            return there
        template = work.prepare_template()
        version = work.build_version(template)
        return work.record(version, made=True)


def resume(
    note: RunNote, plan: BakePlan, to: Destination, *, now: dt.datetime, services: BuildServices
) -> BakeResult:
    """Finish the run of *note*, whose bake of *plan* was interrupted.

    The stored plan is used, even if spec and lock have changed since. Only a build that ran on
    this machine and died with its process is started again. If two processes resume at once, the
    second returns the result of the first.
    """
    work = ImageBuild(plan, to, now, services, template_sha256=note.template_sha256)
    with _alone(note.image, services):
        known = services.notes.find(note.template)
        if known is None and (there := work.find(force=False)):
            return there
        try:
            version = work.pick_up(known or note)
        except BakeFailed as error:
            # Azure's runs outlive the process that started them; only the local builder's die with
            # it.
            if not _died_here(error):
                raise
            services.progress.note("the build died with the process that ran it: starting it again")
            version = work.build_version(work.prepare_template())
        return work.record(version, made=True)


def _died_here(error: BakeFailed) -> bool:
    known = known_error("", error.message)
    return known is not None and known.id == "builder-died"


def _alone(image: str, services: BuildServices) -> AbstractContextManager[None]:
    """Lock *image* against other bakes on this machine; wait for one that is running."""
    message = f"another bake of {image} is running: waiting for it"
    return exclusive_lock(
        services.locks / f"bake-{image}.lock", lambda: services.progress.note(message)
    )


@dataclass(slots=True)
class ImageBuild:
    """One bake: find a version, or mirror, run the template, replicate and record."""

    plan: BakePlan
    to: Destination
    now: dt.datetime
    services: BuildServices
    seconds: dict[str, float] = field(default_factory=dict)
    template_sha256: str | None = None
    built: bool = False

    @property
    def gallery(self) -> Gallery:
        """The target gallery."""
        return Gallery(self.services.cloud, self.to.gallery)

    @property
    def definition(self) -> str:
        """The image definition of the version."""
        return self.plan.spec.gallery.definition

    @property
    def product(self) -> OutputVersion:
        """The output version of the run."""
        return OutputVersion(self.gallery, self.definition, self.plan.bake_key)

    @property
    def templates(self) -> ImageTemplates:
        """The image templates in the gallery's resource group."""
        return ImageTemplates(
            self.services.cloud,
            is_free=lambda target: self.product.get(target) is None,
            note=self.services.progress.note,
        )

    def find(self, *, force: bool) -> BakeResult | None:
        """Return the result for an existing version with the same bake key, healthy or replicating.

        Raises `RolloutRefused` for content revoked everywhere; *force* turns that into a note.
        """
        there = self.gallery.versions(self.definition)
        if revoked := find_revoked_content(there, self.plan.bake_key):
            if revoked.everywhere and not force:
                hint = f"./inv bump {self.plan.spec.name} may help; --force bakes it all the same"
                raise RolloutRefused(revoked.sentence, hint=hint)
            self.services.progress.note(f"{revoked.sentence}, and so will this version be")
        # Lists do not report replication, so each candidate is read by itself.
        for candidate in () if force else reversed(reusable_versions(there, self.plan.bake_key)):
            version = self.gallery.version(self.definition, candidate.version)
            if version and (version.healthy or version.coming):
                return self._found(version)
        return None

    def _found(self, version: GalleryVersion) -> BakeResult:
        self._note_missing_regions(version)
        name = record_name(self.to.gallery, self.definition, version.version)
        if manifest := read_manifest(self.services.mirror.recorded(name)):
            image = self.plan.spec.name
            return BakeResult(image=image, version=version, made=False, manifest=manifest)
        if not version.healthy:
            self.services.progress.note(
                f"version {version.version} of the same content is being copied to its regions:"
                " waiting for it"
            )
        version = self.replicate(version)
        # The template of a bake that was killed after its run is still there.
        self.templates.delete(self.plan.template_name, cancel=False)
        return self.record(version, made=False)

    def _note_missing_regions(self, version: GalleryVersion) -> None:
        for region in self.plan.spec.regions:
            if region.name not in version.regions:
                self.services.progress.note(
                    f"version {version.version} has no replica in {region.name}:"
                    " bake with --force to get one"
                )

    def mirror(self) -> None:
        """Put everything that the bake installs into the mirror before anything is built."""
        missing = self.services.mirror.missing(self.plan.artifacts)
        total = sum(artifact.size or 0 for artifact in missing)
        with self.part("Mirror artifacts", total=total, unit="B") as step:
            self.services.mirror.ensure(missing, step=step)
            for bundle in self.plan.bundles:
                self.services.mirror.bundle(bundle)
        self.services.ship(self.plan)
        self.services.bases.register(self.plan)

    def prepare(self) -> None:
        """Ensure that the gallery and the image definition exist."""
        with self.part("Prepare gallery"):
            self.gallery.ensure()
            self.gallery.ensure_definition(self.plan.spec.gallery)

    def prepare_template(self) -> AbstractContextManager[Run]:
        """Prepare mirror and gallery, and render and check the template of a new version.

        The template is not in Azure yet: entering the context manager sends the PUT.
        """
        self.mirror()
        self.prepare()
        # A version number is never reused, not even that of a failed version.
        taken = (version.version for version in self.gallery.versions(self.definition))
        body = self._render(next_version(self.now, taken))
        templates = self.templates
        # Checked here, because Azure reports a mistake only after minutes.
        templates.check(body)
        return templates.template(self.plan.template_name, body)

    def build_version(self, template: AbstractContextManager[Run]) -> GalleryVersion:
        """Create and run *template*, and return its version; a failure deletes both of them."""
        run: Run | None = None
        try:
            with template as run:
                return self.finish(run, self.note(run.target))
        # Also on an interrupt: a half-written version must not stay in the gallery.
        except BaseException as error:
            self.give_up(run, error)
            raise

    def finish(self, run: Run, note: RunNote) -> GalleryVersion:
        """Start *run* unless it was adopted, and return its version once it is replicated."""
        # The note of an adopted run has its continuation token; a new one would lose it.
        known = self.services.notes.find(note.template) if run.adopted else None
        self.services.notes.keep(known or note)
        with self.part("Build image") as step:
            version = self._follow(run, note, step)
        self.built = True
        return self.replicate(version)

    def _follow(self, run: Run, note: RunNote, step: Step) -> GalleryVersion:
        notes, limit = self.services.notes, self.plan.spec.build.timeout_minutes * 60
        begun = self.services.clock()
        try:
            run.finish(
                step.note,
                limit=limit + DISTRIBUTION_SECONDS,
                on_start=lambda token, name: notes.keep(note.with_changes(token=token, run=name)),
            )
        except BakeFailed as error:
            # Image Builder fails a run that replicates for longer than it may last, although the
            # gallery goes on replicating and the version will be complete.
            late = self.product.still_replicating_after(run.target, error)
            if late is None:
                error.hint = error.hint and error.hint.replace("IMAGE", note.image)
                raise
            self.built = True
            step.note(
                f"the run failed while version {late.version} was copied to its regions, which"
                " takes longer than a run may: the copying goes on, and is waited for"
            )
            return late
        finally:
            # The log is in the template's staging group, which Azure deletes with the template.
            if kept := notes.find(note.template):
                seconds = round(self.services.clock() - begun, 3)
                log = self.services.keep_log(note.template)
                where = str(log) if log else None
                notes.keep(kept.with_changes(log=where, seconds=seconds))
        return self.product.verified(run.target)

    def give_up(self, run: Run | None, error: BaseException) -> None:
        """Delete what a failed run left behind, after its template is gone.

        A run whose state is unknown, or that another process started, is left alone: it continues,
        and its note tells how to resume it.
        """
        failed = isinstance(error, BakeFailed)
        # Without an answer the run may well be going on; deleting its target would break it.
        if run is None or isinstance(error, OutcomeUnknown):
            return
        if failed or not (run.adopted or self.built):
            self.product.undo(run.target)
            self._end(error)

    def _end(self, error: BaseException) -> None:
        if note := self.services.notes.find(self.plan.template_name):
            state = error.run_state if isinstance(error, BakeFailed) else "Canceled"
            message = str(error) or type(error).__name__
            self.services.notes.end(note.with_changes(state=state, message=message))

    def replicate(self, version: GalleryVersion) -> GalleryVersion:
        """Wait for the replicas of *version* in the plan's regions."""
        # An existing version may lack a region that was added to the spec since; only --force adds
        # it.
        wanted = (region.name for region in self.plan.spec.regions)
        there = tuple(name for name in wanted if name in version.regions)
        try:
            with self.part("Replicate", total=len(there)) as step:
                return self.gallery.await_replicas(
                    self.definition,
                    version.version,
                    there,
                    limit=DISTRIBUTION_SECONDS,
                    on_region=step.advance,
                )
        except BakeFailed as error:
            self.product.undo(version.id)
            self._end(error)
            raise

    def record(self, version: GalleryVersion, *, made: bool) -> BakeResult:
        """Store the plan and the manifest. From here on the bake is done and will be found."""
        manifest = BakeManifest.of(
            self.plan,
            version,
            now=self.now,
            template_sha256=self.template_sha256,
            content_sha256=self.services.content(version.id),
            seconds=self.seconds,
        )
        place = functools.partial(record_name, self.to.gallery, self.definition, version.version)
        # The manifest comes last: its presence means that the bake is complete.
        self.services.mirror.record(place(PLAN), plan_record(self.plan))
        self.services.mirror.record(place(), canonical_json(manifest.to_json()))
        if kept := self.services.notes.find(self.plan.template_name):
            self.services.notes.end(kept.with_changes(state="Succeeded"))
        image = self.plan.spec.name
        return BakeResult(image=image, version=version, made=made, manifest=manifest)

    @contextlib.contextmanager
    def part(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        """Report a step to people, and record its duration in the manifest."""
        started = self.services.clock()
        with self.services.progress.step(title, total=total, unit=unit) as step:
            yield step
        self.seconds[title] = round(self.services.clock() - started, 3)

    def pick_up(self, note: RunNote) -> GalleryVersion:
        """Return the version of a run that another process started, or was about to start."""
        there = self.product.get(note.target)
        if there and there.healthy and there.bake_key == self.plan.bake_key:
            self.templates.delete(note.template, cancel=False)
            return self.replicate(there)
        if self.templates.exists(note.template):
            return self.build_version(self.templates.adopted(note.template, note.target))
        # The template is gone but its version is still replicating.
        if late := self.product.replicating():
            return self.replicate(late)
        error = self._vanished(note)
        self.services.notes.end(note.with_changes(state=error.run_state, message=error.message))
        raise error

    def _vanished(self, note: RunNote) -> BakeFailed:
        """Explain why there is neither a template nor a version."""
        again = f"./inv bake {note.image} bakes it"
        if not note.run:
            return BakeFailed("the run was never started", run_state="Canceled", hint=again)
        ended = ended_how(self.services.cloud, note) or "and its operation is not known any more"
        return BakeFailed(
            f"the image template of run {note.run} has gone without a version, {ended}",
            hint=f"it may have been deleted by hand; {again}",
        )

    def note(self, target: str) -> RunNote:
        """Return the note that lets another process pick up the run that writes *target*."""
        endpoint = self.services.cloud.endpoint
        return RunNote(
            image=self.plan.spec.name,
            template=self.plan.template_name,
            target=target,
            definition=self.definition,
            bake_key=self.plan.bake_key,
            base_url=endpoint.base_url,
            subscription=endpoint.subscription,
            resource_group=endpoint.resource_group,
            gallery=self.to.gallery,
            begun=self.now.astimezone(dt.UTC).isoformat(timespec="seconds"),
            plan=plan_text(self.plan),
            rendered_by=self.plan.rendered_by,
            template_sha256=self.template_sha256,
        )

    def _render(self, version: ImageVersion) -> dict[str, Any]:
        endpoint = self.services.cloud.endpoint
        delivery = Delivery(
            location=endpoint.location,
            identity=self.to.identity,
            build_identity=self.to.build_identity,
            image_version_id=endpoint.version_id(self.to.gallery, self.definition, version),
            mirror_url=self.to.mirror_url,
            regions=self.plan.spec.regions,
            tags=tuple(sorted((self.plan.spec.tags | self._tags()).items())),
        )
        text = self.services.render(self.plan, delivery)
        self.template_sha256 = sha256_bytes(text)
        return dict(json.loads(text))

    def _tags(self) -> dict[str, str]:
        tags = held_tag(pin.handler for pin in self.plan.spec.cached) | {
            TAG_BAKE_KEY: self.plan.bake_key,
            TAG_LOCK: self.plan.lock_sha256,
            TAG_SPEC: self.plan.spec_sha256,
        }
        optional = {TAG_COMMIT: self.to.commit, TAG_EMERGENCY: self.to.emergency}
        return tags | {tag: text for tag, text in optional.items() if text}
