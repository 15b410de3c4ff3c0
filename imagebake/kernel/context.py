"""The composition root's first half: what one command works with, and the error boundary."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel import progress as reporting
from imagebake.kernel import settings as configuration
from imagebake.kernel.errors import ImagebakeError, SpecError, UsageError
from imagebake.kernel.host import system_packages
from imagebake.kernel.settings import Settings

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


def format_error(error: ImagebakeError, *, annotate: bool = False) -> str:
    """What to print for *error*; with *annotate*, GitHub's form for mistakes in files."""
    if isinstance(error, SpecError):
        shown = [str(diagnostic) for diagnostic in error.diagnostics]
        if annotate:
            shown += [diagnostic.annotation() for diagnostic in error.diagnostics]
        return "\n\n".join([*shown, f"error: {error.message}"])
    lines = [f"error: {error.message}"]
    if error.cause:
        lines.append(f"  = cause: {error.cause}")
    if error.hint:
        lines.append(f"  = hint: {error.hint}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every command stands on: where, how, when, and who is told."""

    workspace: Workspace
    settings: Settings
    progress: reporting.Progress
    now: dt.datetime


def open_context(*, quiet: bool) -> Context:
    """The site that the environment and the current directory name; *quiet* for programs."""
    named = os.environ.get("IMAGEBAKE_ROOT")
    root = Path(named).absolute() if named else find_root(Path.cwd())
    if not root.is_dir():
        raise UsageError(f"IMAGEBAKE_ROOT is {named!r}, and there is no such directory")
    settings = configuration.load(root, os.environ)
    state = Path(settings.state) if settings.state else root / ".imagebake"
    workspace = Workspace(root=root, state=state if state.is_absolute() else root / state)
    return Context(
        workspace=workspace,
        settings=settings,
        progress=console_progress(quiet=quiet),
        now=dt.datetime.now(dt.UTC),
    )


def console_progress(*, quiet: bool) -> reporting.Progress:
    """Progress for whoever reads standard error."""
    if quiet:
        return reporting.NoProgress()
    if "GITHUB_ACTIONS" in os.environ:
        return reporting.GroupedProgress(sys.stderr)
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from imagebake.kernel.host.terminal import LiveProgress  # noqa: PLC0415 - rich, for people only

        return LiveProgress(sys.stderr)
    return reporting.PlainProgress(sys.stderr)


def ensure_programs(needs: Iterable[system_packages.Need], *, progress: reporting.Progress) -> None:
    """Have every program in *needs*: as root by installing it, else by saying how."""
    lacking = system_packages.missing(needs)
    if not lacking:
        return
    if not system_packages.can_install():
        system_packages.require(lacking)
    packages = sorted({need.package for need in lacking})
    with progress.step(f"Install {', '.join(packages)}, which this needs"):
        system_packages.install(packages)
    system_packages.require(lacking)
