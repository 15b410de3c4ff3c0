"""Specs, locks and plans of images as of a git revision."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from imagebake.build.plan import plan_bake
from imagebake.kernel.context import Context
from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import git
from imagebake.lock import locking
from imagebake.lock.selection import compile_templates, templates
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.load import Specs
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan

_SPECS, _TEMPLATES = "image_specs", "templates"
_FOLDERS = (f"{_SPECS}/", f"{_TEMPLATES}/")
_LOCK = ".lock.json"
_OWN = (_LOCK, ".yaml")


@dataclass(frozen=True, slots=True)
class BaseRevision:
    """Specs, locks and templates of *revision*; needed files are copied into *folder*.

    *files* are git object ids by path, *changed* the paths that differ from the work tree.
    *touched* are the images whose own files differ. *shared* is set if a file that any image
    may depend on differs; *common* are these files, and *other_templates* is set if templates
    are among the changed ones. *written* are the paths fetched so far; locks stay in memory.
    """

    context: Context
    revision: git.Revision
    files: dict[str, str]
    changed: frozenset[str]
    touched: frozenset[str]
    shared: bool
    other_templates: bool
    common: frozenset[str]
    folder: Path
    specs: Specs
    written: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def at(cls, context: Context, base: str) -> Iterator[BaseRevision]:
        """Open the revision *base*; its copies are deleted when the context is left."""
        root = context.workspace.root
        revision = git.base_of(root, base)
        # An installed tool brings its own templates, which are not in the repository.
        own_templates = context.workspace.templates == root / _TEMPLATES
        folders = (_SPECS, _TEMPLATES) if own_templates else (_SPECS,)
        changed, files = revision.changed(folders), revision.files(folders)
        rendering = any(path.startswith(f"{_TEMPLATES}/") for path in changed)
        needed = _FOLDERS if rendering else (f"{_SPECS}/",)
        with tempfile.TemporaryDirectory(prefix="imagebake-") as folder:
            yield cls(
                context,
                revision,
                files,
                changed,
                frozenset(name for path in changed if (name := _image(path))),
                any(not _image(path) for path in changed),
                rendering,
                frozenset(path for path in files if not _image(path) and path.startswith(needed)),
                Path(folder),
                Specs(Path(folder) / _SPECS, root=Path(folder)),
            )

    def names(self, here: Iterable[str]) -> list[str]:
        """Return the images that exist in *here* or in the revision."""
        return sorted({*here, *(name for path in self.files if (name := _image(path)))})

    def has(self, image: str) -> bool:
        """Whether the revision has a spec of *image*."""
        return f"{_SPECS}/{image}.yaml" in self.files

    def is_unchanged(self, image: str) -> bool:
        """Whether every file that *image* depends on is unchanged."""
        return self.has(image) and not self.shared and image not in self.touched

    def fetch(self, images: Collection[str]) -> None:
        """Copy the files of *images* into *folder* with a single call of git.

        Optional: other methods fetch what they need, one image at a time.
        """
        if images:
            own = {path for image in images for path in self._own(image)}
            self._write(sorted(path for path in {*own, *self.common} if path not in self.written))

    def _own(self, image: str) -> list[str]:
        """Return the files of *image* alone; an unchanged lock is read from the work tree."""
        spec, lock = (f"{_SPECS}/{image}{suffix}" for suffix in (".yaml", _LOCK))
        return [
            path
            for path in (spec, lock)
            if path in self.files and (path == spec or path in self.changed)
        ]

    def has_equal_spec(self, spec: ImageSpec) -> bool:
        """Whether the revision's files of *spec*'s image differ, but describe the same spec."""
        lock = f"{_SPECS}/{spec.name}{_LOCK}"
        if not self.has(spec.name) or lock in self.changed or lock not in self.files:
            return False
        if self.other_templates:
            return False
        self.fetch((spec.name,))
        try:
            return self.specs.load(spec.name) == spec
        except ImagebakeError:
            return False

    def planned(self, image: str) -> tuple[BakePlan | None, str]:
        """Return the plan of *image* as of the revision, or None and the reason."""
        if not self.has(image):
            return None, ""
        self.fetch((image,))
        try:
            spec = self.specs.load(image)
            lock = self._lock(image)
            locking.check_lock(spec, lock)
            own = self.folder / _TEMPLATES
            made_by = (
                compile_templates(own)
                if self.other_templates and own.is_dir()
                else templates(self.context)
            )
            plan = plan_bake(spec, lock, catalogue=CATALOGUE, templates=made_by)
        except ImagebakeError as error:
            why = error.message
            return None, f"{self.revision} cannot be planned, so that everything looks new: {why}"
        return plan, ""

    def _lock(self, image: str) -> Lock:
        """Return the lock as of the revision; the one here if it is unchanged."""
        path = f"{_SPECS}/{image}{_LOCK}"
        if path in self.files and path not in self.changed:
            return locking.load_lock(self.context.workspace.lock_path(image))
        if content := self.written.pop(path, b""):
            return locking.read_lock(content, image)
        return locking.load_lock(self.folder / path)

    def _write(self, paths: Sequence[str]) -> None:
        """Copy *paths* into *folder*; locks are large and read once, so they stay in memory."""
        if not paths:
            return
        contents = self.revision.contents(self.files[path] for path in paths)
        for path, content in zip(paths, contents, strict=True):
            if path.endswith(_LOCK):
                self.written[path] = content
                continue
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            self.written[path] = b""


def _image(path: str) -> str:
    """Return the image that the file *path* belongs to; empty if it may concern any."""
    folder, _, name = path.rpartition("/")
    suffix = next((suffix for suffix in _OWN if name.endswith(suffix)), "")
    return name.removesuffix(suffix) if folder == _SPECS and suffix else ""
