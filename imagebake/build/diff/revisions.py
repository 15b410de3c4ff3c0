"""Images as a git revision has them: which differ from those here, and their plans."""

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
from imagebake.lock import locking as locks
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
    """The specs, locks and templates of *revision*; *folder* gets those that are asked for.

    *files* are git's objects by path, *changed* the paths that differ here. *touched* are
    the images whose own files differ; where *shared* is true, something differs that every
    image may be made from: it was made from the files *common*, and where *other_templates*
    is true, what renders has changed. *written* are the paths that have been
    fetched, locks with what they say until they are read.
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
        """What the revision *base* has; its copies go when the context is left."""
        root = context.workspace.root
        revision = git.base_of(root, base)
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
        """The images that there are *here*, or were there."""
        return sorted({*here, *(name for path in self.files if (name := _image(path)))})

    def has(self, image: str) -> bool:
        """Whether there was a spec of *image*."""
        return f"{_SPECS}/{image}.yaml" in self.files

    def is_same(self, image: str) -> bool:
        """Whether every file that *image* is made from is there as it is here."""
        return self.has(image) and not self.shared and image not in self.touched

    def fetch(self, images: Collection[str]) -> None:
        """Have the files in *folder* that the plans of *images* are made from: git is asked once.

        Nobody needs to call this first; many images come sooner where somebody does.
        """
        if images:
            own = {path for image in images for path in self._own(image)}
            self._write(sorted(path for path in {*own, *self.common} if path not in self.written))

    def _own(self, image: str) -> list[str]:
        """What only *image* is made from; a lock that nobody has changed is read here."""
        spec, lock = (f"{_SPECS}/{image}{suffix}" for suffix in (".yaml", _LOCK))
        return [
            path
            for path in (spec, lock)
            if path in self.files and (path == spec or path in self.changed)
        ]

    def makes_the_same(self, spec: ImageSpec) -> bool:
        """Whether it says of *spec*'s image what is said here, by files that differ."""
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
        """The plan of *image* as it was; None, and why, where there was none to be made."""
        if not self.has(image):
            return None, ""
        self.fetch((image,))
        try:
            spec = self.specs.load(image)
            lock = self._lock(image)
            locks.check_lock(spec, lock)
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
        """The lock as it was: the one here, where nobody has changed it."""
        path = f"{_SPECS}/{image}{_LOCK}"
        if path in self.files and path not in self.changed:
            return locks.load_lock(self.context.workspace.lock_path(image))
        if content := self.written.pop(path, b""):
            return locks.read_lock(content, image)
        return locks.load_lock(self.folder / path)

    def _write(self, paths: Sequence[str]) -> None:
        """Have *paths* in *folder*; locks, which are large and read once, stay in memory."""
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
    """The one image that the file *path* is about; empty where it may be about any."""
    folder, _, name = path.rpartition("/")
    suffix = next((suffix for suffix in _OWN if name.endswith(suffix)), "")
    return name.removesuffix(suffix) if folder == _SPECS and suffix else ""
