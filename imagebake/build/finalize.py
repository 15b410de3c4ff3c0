"""The making of one image version from its run on: followed, verified, replicated, recorded.

A bake does this, and so does whoever picks up a bake that was killed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.errors import Unanswered
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.image_builder.image_templates import ImageTemplates
from imagebake.azure.image_builder.output_version import Product
from imagebake.azure.image_builder.runs import Run
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.model.manifest import BakeManifest, BakeResult, record_name
from imagebake.azure.model.run_note import RunNote, plan_text
from imagebake.build.run_notes import RunNotes
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import BakeFailed
from imagebake.kernel.progress import Progress, Step
from imagebake.mirror.local import Mirror
from imagebake.session.session import Bases, Destination
from imagebake.spec.plan import BakePlan, Delivery
from imagebake.spec.plan_record import PLAN, plan_record

DISTRIBUTION_SECONDS = 2 * 3600.0
"""How long copying to the regions may take, after what the spec allows for the build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Everything that a bake touches the world with.

    *ship* puts what a build fetches where it looks for it; *content* knows the digest of a
    version's root file system, or None; *keep_log* puts the output of a template's last run
    where it outlives the template; *notes* are of the runs that are under way; *locks* is a
    directory; *clock* counts seconds.
    """

    cloud: Clients
    mirror: Mirror
    bases: Bases
    ship: Callable[[BakePlan], None]
    render: Callable[[BakePlan, Delivery], bytes]
    content: Callable[[str], str | None]
    keep_log: Callable[[str], Path | None]
    notes: RunNotes
    locks: Path
    clock: Callable[[], float]
    progress: Progress


@dataclass(slots=True)
class Making:
    """One version on its way, from the start of its run."""

    plan: BakePlan
    to: Destination
    now: dt.datetime
    hands: Hands
    seconds: dict[str, float] = field(default_factory=dict)
    template_sha256: str | None = None
    built: bool = False

    @property
    def gallery(self) -> Gallery:
        """Where the version goes."""
        return Gallery(self.hands.cloud, self.to.gallery)

    @property
    def definition(self) -> str:
        """The image definition that the version belongs to."""
        return self.plan.spec.gallery.definition

    @property
    def product(self) -> Product:
        """What the run makes."""
        return Product(self.gallery, self.definition, self.plan.bake_key)

    @property
    def templates(self) -> ImageTemplates:
        """The image templates beside the gallery."""
        return ImageTemplates(
            self.hands.cloud,
            is_free=lambda target: self.product.at(target) is None,
            note=self.hands.progress.note,
        )

    def note(self, target: str) -> RunNote:
        """What is to be known of the run that makes *target*, if this process dies."""
        endpoint = self.hands.cloud.endpoint
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

    def finish(self, run: Run, note: RunNote) -> GalleryVersion:
        """Start *run*, unless it was, and return its version once that is in its regions."""
        known = self.hands.notes.find(note.template) if run.adopted else None
        self.hands.notes.keep(known or note)
        with self.part("Build image") as step:
            version = self._follow(run, note, step)
        self.built = True
        return self.replicate(version)

    def give_up(self, run: Run | None, error: BaseException) -> None:
        """Take away what a failed run left, once its template has gone.

        A run of which nothing can be heard is left alone, as is somebody else's: it goes on,
        and its note says how to find it.
        """
        failed = isinstance(error, BakeFailed)
        if run is None or isinstance(error, Unanswered):
            return
        if failed or not (run.adopted or self.built):
            self.product.undo(run.target)
            self._end(error)

    def _follow(self, run: Run, note: RunNote, step: Step) -> GalleryVersion:
        notes, limit = self.hands.notes, self.plan.spec.build.timeout_minutes * 60
        begun = self.hands.clock()
        try:
            run.finish(
                step.note,
                limit=limit + DISTRIBUTION_SECONDS,
                on_start=lambda token, name: notes.keep(note.with_changes(token=token, run=name)),
            )
        except BakeFailed as error:
            late = self.product.late(run.target, error)
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
            if kept := notes.find(note.template):
                seconds = round(self.hands.clock() - begun, 3)
                log = self.hands.keep_log(note.template)
                where = str(log) if log else None
                notes.keep(kept.with_changes(log=where, seconds=seconds))
        return self.product.verified(run.target)

    def _end(self, error: BaseException) -> None:
        if note := self.hands.notes.find(self.plan.template_name):
            state = error.run_state if isinstance(error, BakeFailed) else "Canceled"
            message = str(error) or type(error).__name__
            self.hands.notes.end(note.with_changes(state=state, said=message))

    def replicate(self, version: GalleryVersion) -> GalleryVersion:
        """Wait for the replicas in the plan's regions that the version has."""
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
        """Store the plan and the manifest: from here on the bake is done and will be found."""
        manifest = BakeManifest.of(
            self.plan,
            version,
            now=self.now,
            template_sha256=self.template_sha256,
            content_sha256=self.hands.content(version.id),
            seconds=self.seconds,
        )
        place = functools.partial(record_name, self.to.gallery, self.definition, version.version)
        self.hands.mirror.record(place(PLAN), plan_record(self.plan))
        self.hands.mirror.record(place(), canonical_json(manifest.to_json()))
        if kept := self.hands.notes.find(self.plan.template_name):
            self.hands.notes.end(kept.with_changes(state="Succeeded"))
        image = self.plan.spec.name
        return BakeResult(image=image, version=version, made=made, manifest=manifest)

    @contextlib.contextmanager
    def part(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        """A step that people see, and whose time goes into the manifest."""
        started = self.hands.clock()
        with self.hands.progress.step(title, total=total, unit=unit) as step:
            yield step
        self.seconds[title] = round(self.hands.clock() - started, 3)
