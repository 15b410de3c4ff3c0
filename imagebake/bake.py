"""Bake one image version: mirror, build, replicate, record; or find that it is there."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from imagebake.artifacts.mirror import Mirror
from imagebake.cloud.clients import Clients
from imagebake.cloud.galleries import Gallery
from imagebake.cloud.image_templates import ImageTemplates
from imagebake.cloud.runs import Run
from imagebake.digest import canonical_json, sha256_bytes
from imagebake.errors import BakeFailed, CloudError, RolloutRefused
from imagebake.host.files import locked
from imagebake.model.gallery import (
    TAG_BAKE_KEY,
    TAG_COMMIT,
    TAG_EMERGENCY,
    TAG_LOCK,
    TAG_SPEC,
    GalleryVersion,
    held_tag,
    next_version,
)
from imagebake.model.manifest import BakeManifest, BakeResult, read_manifest, record_name
from imagebake.model.plan import BakePlan, Delivery
from imagebake.model.plan_record import PLAN, plan_record
from imagebake.model.versions import ImageVersion
from imagebake.progress import Progress, Step
from imagebake.rollout.rebakes import reusable, revoked_content

DISTRIBUTION_SECONDS = 2 * 3600.0
"""How long copying to the regions may take, after what the spec allows for the build."""


class Bases(Protocol):
    """Who must know how a source image is made, before it is asked for."""

    def offer(self, plan: BakePlan) -> None:
        """Learn the recipe of *plan*'s source image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where versions go and whose they are; *emergency* is why a bake was not to wait."""

    gallery: str
    identity: str
    mirror_url: str
    commit: str | None = None
    emergency: str | None = None
    build_identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Everything that a bake touches the world with.

    *ship* puts what a build fetches where it looks for it; *content* knows the digest of a
    version's root file system, or None; *locks* is a directory; *clock* counts seconds.
    """

    cloud: Clients
    mirror: Mirror
    bases: Bases
    ship: Callable[[BakePlan], None]
    render: Callable[[BakePlan, Delivery], bytes]
    content: Callable[[str], str | None]
    locks: Path
    clock: Callable[[], float]
    progress: Progress


def bake(
    plan: BakePlan, to: Destination, *, now: dt.datetime, force: bool = False, hands: Hands
) -> BakeResult:
    """Carry out *plan*, unless a healthy version has its bake key already.

    A bake that was killed is picked up: its template is adopted or cleared away, and the
    version it finished is recorded rather than made again. Two bakes of one image on one
    machine go one after the other.
    """
    work = _Bake(plan, to, now, hands)
    if there := work.find(force=force):
        return there
    with _alone(plan.spec.name, hands):
        if not force and (there := work.find(force=False)):
            return there
        work.mirror()
        work.prepare()
        version = work.build()
        return work.record(work.replicate(version), made=True)


@dataclass(slots=True)
class _Bake:
    plan: BakePlan
    to: Destination
    now: dt.datetime
    hands: Hands
    seconds: dict[str, float] = field(default_factory=dict)
    template_sha256: str | None = None

    @property
    def gallery(self) -> Gallery:
        return Gallery(self.hands.cloud, self.to.gallery)

    @property
    def definition(self) -> str:
        return self.plan.spec.gallery.definition

    def find(self, *, force: bool) -> BakeResult | None:
        """A version of the same key, healthy or coming; where its bake was killed, end that.

        Raises `RolloutRefused` for content that was revoked; *force* only tells of it.
        """
        there = self.gallery.versions(self.definition)
        if revoked := revoked_content(there, self.plan.bake_key):
            if revoked.everywhere and not force:
                hint = f"./inv bump {self.plan.spec.name} may help; --force bakes it all the same"
                raise RolloutRefused(revoked.sentence, hint=hint)
            self.hands.progress.note(f"{revoked.sentence}; so is what is baked now")
        for candidate in () if force else reversed(reusable(there, self.plan.bake_key)):
            version = self.gallery.version(self.definition, candidate.version)
            if version and (version.healthy or version.coming):
                return self._found(version)
        return None

    def _found(self, version: GalleryVersion) -> BakeResult:
        self._tell_of_regions(version)
        name = record_name(self.to.gallery, self.definition, version.version)
        if manifest := read_manifest(self.hands.mirror.recorded(name)):
            image = self.plan.spec.name
            return BakeResult(image=image, version=version, made=False, manifest=manifest)
        version = self.replicate(version)
        self._templates().delete(self.plan.template_name, cancel=False)
        return self.record(version, made=False)

    def _tell_of_regions(self, version: GalleryVersion) -> None:
        for region in self.plan.spec.regions:
            if region.name not in version.regions:
                self.hands.progress.note(
                    f"version {version.version} has no replica in {region.name}:"
                    " bake with --force to get one"
                )

    def mirror(self) -> None:
        """Have everything that the bake installs before anything is built."""
        missing = self.hands.mirror.missing(self.plan.artifacts)
        total = sum(artifact.size or 0 for artifact in missing)
        with self._part("Mirror artifacts", total=total, unit="B") as step:
            self.hands.mirror.ensure(missing, step=step)
            for bundle in self.plan.bundles:
                self.hands.mirror.bundle(bundle)
        self.hands.ship(self.plan)
        self.hands.bases.offer(self.plan)

    def prepare(self) -> None:
        """Have the gallery and the image definition."""
        with self._part("Prepare gallery"):
            self.gallery.ensure()
            self.gallery.ensure_definition(self.plan.spec.gallery)

    def build(self) -> GalleryVersion:
        """Run the image template; afterwards there is a version, or neither one nor the other."""
        taken = (version.version for version in self.gallery.versions(self.definition))
        body = self._render(next_version(self.now, taken))
        templates = self._templates()
        templates.check(body)
        limit = self.plan.spec.build.timeout_minutes * 60 + DISTRIBUTION_SECONDS
        run: Run | None = None
        try:
            with (
                self._part("Build image") as step,
                templates.template(self.plan.template_name, body) as run,
            ):
                run.finish(step.note, limit=limit)
                return self._verified(run.target)
        except BaseException as error:
            if run and (isinstance(error, BakeFailed) or not run.adopted):
                self._undo(run.target)
            raise

    def replicate(self, version: GalleryVersion) -> GalleryVersion:
        """Wait for the replicas in the plan's regions that the version has."""
        there = tuple(one.name for one in self.plan.spec.regions if one.name in version.regions)
        try:
            with self._part("Replicate", total=len(there)) as step:
                return self.gallery.await_replicas(
                    self.definition,
                    version.version,
                    there,
                    limit=DISTRIBUTION_SECONDS,
                    on_region=step.advance,
                )
        except BakeFailed:
            self._undo(version.id)
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
        name = self.plan.spec.name
        return BakeResult(image=name, version=version, made=made, manifest=manifest)

    def _render(self, version: ImageVersion) -> dict[str, Any]:
        endpoint = self.hands.cloud.endpoint
        delivery = Delivery(
            location=endpoint.location,
            identity=self.to.identity,
            build_identity=self.to.build_identity,
            image_version_id=endpoint.version_id(self.to.gallery, self.definition, version),
            mirror_url=self.to.mirror_url,
            regions=self.plan.spec.regions,
            tags=tuple(sorted((self.plan.spec.tags | self._tags()).items())),
        )
        text = self.hands.render(self.plan, delivery)
        self.template_sha256 = sha256_bytes(text)
        return dict(json.loads(text))

    def _tags(self) -> dict[str, str]:
        tags = held_tag(pin.handler for pin in self.plan.spec.cached) | {
            TAG_BAKE_KEY: self.plan.bake_key,
            TAG_LOCK: self.plan.lock_sha256,
            TAG_SPEC: self.plan.spec_sha256,
        }
        told = {TAG_COMMIT: self.to.commit, TAG_EMERGENCY: self.to.emergency}
        return tags | {tag: text for tag, text in told.items() if text}

    def _templates(self) -> ImageTemplates:
        return ImageTemplates(
            self.hands.cloud,
            is_free=lambda target: self._at(target) is None,
            note=self.hands.progress.note,
        )

    def _at(self, target: str) -> GalleryVersion | None:
        return self.gallery.version(self.definition, ImageVersion.parse(target.rpartition("/")[2]))

    def _verified(self, target: str) -> GalleryVersion:
        """The version that the run made, if it is what was asked for."""
        version = self._at(target)
        if version is None:
            raise BakeFailed(
                "the run ended, and there is no image version",
                hint="was the image template deleted by another bake? bake again",
            )
        if not version.hidden or version.bake_key != self.plan.bake_key:
            raise BakeFailed(
                f"image version {version.version} is not what was asked for: "
                + ("its bake key is another" if version.hidden else "it is not hidden"),
                hint="did somebody change it while it was made?",
            )
        return version

    def _undo(self, target: str) -> None:
        """Take away what a failed run left in the gallery, where it answers."""
        with contextlib.suppress(CloudError):
            there = self._at(target)
            if there and there.bake_key == self.plan.bake_key:
                self.gallery.delete_version(self.definition, there.version)

    @contextlib.contextmanager
    def _part(self, title: str, *, total: int | None = None, unit: str = "") -> Iterator[Step]:
        started = self.hands.clock()
        with self.hands.progress.step(title, total=total, unit=unit) as step:
            yield step
        self.seconds[title] = round(self.hands.clock() - started, 3)


@contextlib.contextmanager
def _alone(image: str, hands: Hands) -> Iterator[None]:
    """Be the only bake of *image* on this machine; wait for another one to end."""
    path = hands.locks / f"bake-{image}.lock"
    with locked(path, wait=False) as held:
        if held:
            yield
            return
    hands.progress.note(f"another bake of {image} is running: waiting for it")
    with locked(path):
        yield
