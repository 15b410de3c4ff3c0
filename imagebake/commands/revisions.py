"""Images as a git revision has them: which differ from those here, and their plans."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagebake import lock as locks
from imagebake.app import Site
from imagebake.catalog.components import CATALOGUE
from imagebake.commands.selection import compiled, templates
from imagebake.errors import ImagebakeError
from imagebake.host import git
from imagebake.model.plan import BakePlan
from imagebake.model.spec import ImageSpec
from imagebake.plan import plan_bake
from imagebake.specs.load import load_spec
from imagebake.workspace import Workspace

_SPECS, _TEMPLATES = "image_specs", "templates"
_LOCK = ".lock.json"
_OWN = (_LOCK, ".yaml")


@dataclass(frozen=True, slots=True)
class Earlier:
    """The specs, locks and templates of *revision*; *folder* gets those that are asked for.

    *files* are git's objects by path, *changed* the paths that differ here. *touched* are
    the images whose own files differ; where *shared* is true, something differs that every
    image may be made from.
    """

    site: Site
    revision: git.Revision
    files: dict[str, str]
    changed: frozenset[str]
    touched: frozenset[str]
    shared: bool
    folder: Path

    @classmethod
    @contextmanager
    def at(cls, site: Site, base: str) -> Iterator[Earlier]:
        """What the revision *base* has; its copies go when the context is left."""
        root = site.workspace.root
        revision = git.base_of(root, base)
        own_templates = site.workspace.templates == root / _TEMPLATES
        folders = (_SPECS, _TEMPLATES) if own_templates else (_SPECS,)
        changed = revision.changed(folders)
        with tempfile.TemporaryDirectory(prefix="imagebake-") as folder:
            yield cls(
                site,
                revision,
                revision.files(folders),
                changed,
                frozenset(name for path in changed if (name := _image(path))),
                any(not _image(path) for path in changed),
                Path(folder),
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

    def makes_the_same(self, spec: ImageSpec) -> bool:
        """Whether it says of *spec*'s image what is said here, by files that differ."""
        lock = f"{_SPECS}/{spec.name}{_LOCK}"
        if not self.has(spec.name) or lock in self.changed or lock not in self.files:
            return False
        if any(path.startswith(f"{_TEMPLATES}/") for path in self.changed):
            return False
        self._restore(spec.name)
        try:
            return load_spec(self.folder / _SPECS / f"{spec.name}.yaml", root=self.folder) == spec
        except ImagebakeError:
            return False

    def planned(self, image: str) -> tuple[BakePlan | None, str]:
        """The plan of *image* as it was; None, and why, where there was none to be made."""
        if not self.has(image):
            return None, ""
        self._restore(image)
        there = Workspace(root=self.folder, state=self.folder)
        try:
            spec = load_spec(there.specs / f"{image}.yaml", root=there.root)
            lock = locks.load_lock(self._lock(image, there))
            locks.check_lock(spec, lock)
            own = self.folder / _TEMPLATES
            made_by = compiled(own) if own.is_dir() else templates(self.site)
            plan = plan_bake(spec, lock, catalogue=CATALOGUE, templates=made_by)
        except ImagebakeError as error:
            why = error.message
            return None, f"{self.revision} cannot be planned, so that everything looks new: {why}"
        return plan, ""

    def _lock(self, image: str, there: Workspace) -> Path:
        """Where the lock is as it was: here, where nobody has changed it."""
        path, place = f"{_SPECS}/{image}{_LOCK}", there.lock_path(image)
        if path in self.files and path not in self.changed:
            return self.site.workspace.lock_path(image)
        if path in self.files:
            self._write([path])
        return place

    def _restore(self, image: str) -> None:
        """Have the files here that the spec of *image*, or of any image, is read from."""
        if (self.folder / _SPECS / f"{image}.yaml").exists():
            return
        self._write(
            [
                path
                for path in self.files
                if not path.endswith(_LOCK) and (self.shared or _image(path) in (image, ""))
            ]
        )

    def _write(self, paths: Sequence[str]) -> None:
        contents = self.revision.contents(self.files[path] for path in paths)
        for path, content in zip(paths, contents, strict=True):
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


def _image(path: str) -> str:
    """The one image that the file *path* is about; empty where it may be about any."""
    folder, _, name = path.rpartition("/")
    suffix = next((suffix for suffix in _OWN if name.endswith(suffix)), "")
    return name.removesuffix(suffix) if folder == _SPECS and suffix else ""
