"""Where things are: the user's repository, our state beside it, and our own data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_SHIPPED = (_PACKAGE / "templates", _PACKAGE.parent / "templates")
"""In the wheel, and in a clone whose code serves another directory."""
_BOOKS = (_PACKAGE / "runbooks", _PACKAGE.parent / "docs" / "runbooks")


@dataclass(frozen=True, slots=True)
class Workspace:
    """A repository with `image_specs/`, and the state directory that serves it.

    Only the files a verb names are ever written below *root*, apart from *state*,
    which holds everything else and may be deleted at the price of baking again.
    """

    root: Path
    state: Path

    @property
    def specs(self) -> Path:
        """The directory of the image specs and, beside each, its lock."""
        return self.root / "image_specs"

    def lock_path(self, image: str) -> Path:
        """The lock of *image*, committed beside its spec."""
        return self.specs / f"{image}.lock.json"

    @property
    def templates(self) -> Path:
        """The Jinja templates: the repository's own where it has them, else the shipped ones."""
        own = self.root / "templates"
        return next((folder for folder in (own, *_SHIPPED) if folder.is_dir()), own)

    @property
    def mirror(self) -> Path:
        """The content-addressed copy of every artifact."""
        return self.state / "mirror"

    @property
    def indexes(self) -> Path:
        """Package indexes of archives, by digest: a cache, and nothing else."""
        return self.state / "indexes"

    @property
    def emulator(self) -> Path:
        """What the loopback ARM remembers."""
        return self.state / "emulator"

    @property
    def heartbeats(self) -> Path:
        """The records of heartbeats."""
        return self.state / "heartbeats"

    @property
    def pulses(self) -> Path:
        """What was digested of the records of heartbeats: a cache, and nothing else."""
        return self.state / "pulses"

    @property
    def engine(self) -> Path:
        """Bases and layers of the local builder."""
        return self.state / "engine"

    @property
    def records(self) -> Path:
        """A file for every bake that was tried here."""
        return self.state / "records"

    @property
    def runs(self) -> Path:
        """The notes of runs of image templates, below the name of the cloud they are in."""
        return self.state / "runs"

    @property
    def logs(self) -> Path:
        """The logs of builds in Azure, which would go with their templates."""
        return self.state / "logs"

    @property
    def runbooks(self) -> Path:
        """The runbooks: the repository's own where it has them, else the shipped ones."""
        own = self.root / "docs" / "runbooks"
        return next((folder for folder in (own, *_BOOKS) if folder.is_dir()), own)

    def shown(self, path: Path) -> str:
        """*path* as people should read it: relative to the repository where it is inside."""
        try:
            return str(path.relative_to(self.root))
        except ValueError:
            return str(path)


def find_root(start: Path) -> Path:
    """The nearest directory at or above *start* that has `image_specs/`, else *start*."""
    for folder in (start, *start.parents):
        if (folder / "image_specs").is_dir():
            return folder
    return start
