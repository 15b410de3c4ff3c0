"""The task `plan`: the changes that a bake would make, offline and without the Azure SDK."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from imagebake.azure.model.manifest import BakeManifest, read_manifest, record_name
from imagebake.build.diff.changes import PlanDiff
from imagebake.build.diff.plan_diff import diff_plans
from imagebake.build.diff.plan_report import (
    COLUMNS,
    ImagePlanDiff,
    bake_effect,
    pending_work,
    render_comment,
    terminal_rows,
)
from imagebake.build.diff.revisions import BaseRevision
from imagebake.build.plan import plan_bake
from imagebake.build.render.files import rendering_identity
from imagebake.kernel import console
from imagebake.kernel.console import format_table, print_json
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.digest import sha256_file, sha256_json
from imagebake.kernel.errors import CHANGES, UsageError
from imagebake.kernel.flags import IMAGE, JSON, Flag, Word
from imagebake.kernel.text.versions import ImageVersion
from imagebake.lock import artifact_sources
from imagebake.lock.selection import find_spec, fresh_lock, templates
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.load import Specs, load_all, load_spec, spec_names
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import PLAN, BakePlan, read_plan

_AT_ONCE = 100
_MOST_ALONG = 25
"""Most transitive changes that are shown in a terminal."""


def plan(
    image: Annotated[str, Word(f"{IMAGE} (default: every image)")] = "",
    *,
    base: Annotated[
        str, Flag("a git revision to compare with (default: the version that was baked last)")
    ] = "",
    as_markdown: Annotated[
        bool, Flag("print a comment for a pull request", name="markdown")
    ] = False,
    diff: Annotated[bool, Flag("print only the diff of the rendered scripts")] = False,
    exit_code: Annotated[bool, Flag("end with 8 when something changes")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Print the changes that a bake would make to one image, or to all.

    They are compared with the revision *base*, or else with the last baked version.
    """
    if as_markdown + as_json + diff > 1:
        raise UsageError("--markdown, --json and --diff are three ways to print: choose one")
    context = open_context(quiet=True)
    if image and not base:
        find_spec(context, image)
    planner = _Planner(context)
    plans = list(planner.against_git(image, base) if base else planner.against_bakes(image))
    if as_json:
        print_json([plan.to_json() for plan in plans])
    elif as_markdown:
        text = render_comment(plans)
        print(text, end="")
        console.put_summary(text)
    elif diff:
        print("".join(plan.comparison.diff for plan in plans), end="")
    else:
        print("\n\n".join(_text(plan) for plan in plans))
    if exit_code and any(plan.comparison.differs for plan in plans):
        return CHANGES
    return 0


def _text(plan: ImagePlanDiff) -> str:
    """One image for a terminal."""
    image = plan.comparison.image
    parts = [f"{image}: {bake_effect(plan)} (compared with {plan.against})"]
    parts += [f"note: {plan.note}"] if plan.note else []
    for risk, changes in plan.comparison.groups():
        shown, left = terminal_rows(changes, most=_MOST_ALONG)
        _, *lines = format_table(COLUMNS, shown).splitlines()
        lines += [f"   {left} more follow from the rest: --markdown shows them"] if left else []
        parts += ["", risk.value, *(f"  {line}" for line in lines)]
    todo = pending_work(plan)
    return "\n".join([*parts, *(["", *todo] if todo else [])])


class _Planner:
    """Planner of the workspace's images, which knows the mirror's artifacts."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.mirror = artifact_sources.open_mirror(context)
        self.here = frozenset(spec_names(context.workspace.specs))
        self.rendered_by = rendering_identity(context.workspace.templates, CATALOGUE)

    def against_bakes(self, image: str) -> Iterator[ImagePlanDiff]:
        """Compare every image with the newest version that was baked from this machine."""
        for spec in self._specs((image,) if image else self.here):
            yield self._against_bake(spec)

    def _specs(self, names: Iterable[str]) -> list[ImageSpec]:
        """Load the specs *names*; files that several share are read once."""
        workspace = self.context.workspace
        wanted = sorted(names)
        if len(wanted) == 1:
            path = workspace.specs / f"{wanted[0]}.yaml"
            return [load_spec(path, root=workspace.root)]
        loaded = load_all(workspace.specs, root=workspace.root)
        return [loaded[name] for name in wanted]

    def against_git(self, image: str, base: str) -> Iterator[ImagePlanDiff]:
        """Compare every image with a revision; an image whose files are the same is not read."""
        with BaseRevision.at(self.context, base) as earlier:
            specs = Specs(self.context.workspace.specs, root=self.context.workspace.root)
            for name in _fetched(earlier, (image,) if image else earlier.names(self.here)):
                against = str(earlier.revision)
                if name not in self.here and not earlier.has(name):
                    find_spec(self.context, name)  # says which images there are
                if name in self.here and earlier.is_unchanged(name):
                    yield ImagePlanDiff(comparison=PlanDiff(image=name), against=against)
                    continue
                spec = specs.load(name) if name in self.here else None
                if spec and earlier.has_equal_spec(spec):
                    yield ImagePlanDiff(comparison=PlanDiff(image=name), against=against)
                    continue
                old, note = earlier.planned(name)
                yield self._compared(old, self._planned(spec) if spec else None, against, note)

    def _planned(self, spec: ImageSpec) -> BakePlan:
        lock = fresh_lock(self.context, spec)
        return plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates(self.context))

    def _against_bake(self, spec: ImageSpec) -> ImagePlanDiff:
        image, definition = spec.name, spec.gallery.definition
        folder = f"{self.context.settings.gallery}/{definition}"
        for number in _numbers(self.mirror.recorded_below(folder)):
            name = functools.partial(record_name, self.context.settings.gallery, definition, number)
            manifest = read_manifest(self.mirror.recorded(name()))
            if manifest is None or manifest.image != image:
                continue
            against = f"{image}@{number}"
            if self._is_same(spec, manifest):
                return ImagePlanDiff(comparison=PlanDiff(image=image), against=against)
            made = self._planned(spec)
            if kept := read_plan(self.mirror.recorded(name(PLAN))):
                return self._compared(kept, made, against)
            if manifest.bake_key == made.bake_key:
                return self._compared(made, made, against)
            note = f"the plan of {against} was not kept, so that everything looks new"
            return self._compared(None, made, against, note)
        return self._compared(None, self._planned(spec), "nothing: it was never baked from here")

    def _is_same(self, spec: ImageSpec, manifest: BakeManifest) -> bool:
        """Whether the manifest has the same spec, lock and renderer as a bake here would have."""
        path = self.context.workspace.lock_path(spec.name)
        return (
            manifest.rendered_by == self.rendered_by
            and manifest.spec_sha256 == sha256_json(spec.to_json())
            and path.is_file()
            and manifest.lock_sha256 == sha256_file(path)
        )

    def _compared(
        self, old: BakePlan | None, new: BakePlan | None, against: str, note: str = ""
    ) -> ImagePlanDiff:
        missing = self.mirror.missing(new.artifacts) if new else ()
        return ImagePlanDiff(
            comparison=diff_plans(old, new),
            against=against,
            missing=len(missing),
            missing_bytes=sum(artifact.size or 0 for artifact in missing),
            note=note,
        )


def _fetched(earlier: BaseRevision, names: Sequence[str]) -> Iterator[str]:
    """Yield *names* in order, after fetching the files of those that differ in batches."""
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        earlier.fetch([name for name in some if not earlier.is_unchanged(name)])
        yield from some


def _numbers(names: Sequence[str]) -> list[ImageVersion]:
    """The image versions among *names*, the newest first."""
    found = []
    for name in names:
        try:
            found.append(ImageVersion.parse(name))
        except ValueError:
            continue
    return sorted(found, reverse=True)
