"""The context of a command: workspace, settings, progress and the time."""

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
"""Where the shipped templates are: in the wheel, or in the clone whose code is run."""
_BOOKS = (_PACKAGE / "runbooks", _PACKAGE.parent / "docs" / "runbooks")


@dataclass(frozen=True, slots=True)
class Workspace:
    """A repository with `image_specs/`, and the state directory that serves it.

    A command writes nothing below *root* but the files that it is about. Everything else is in
    *state*, which may be deleted at the price of baking again.
    """

    root: Path
    state: Path

    @property
    def specs(self) -> Path:
        """The directory of the image specs and their locks."""
        return self.root / "image_specs"

    def lock_path(self, image: str) -> Path:
        """Return the path of *image*'s lock, beside its spec."""
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
        """Cached package indexes of archives, by digest."""
        return self.state / "indexes"

    @property
    def emulator(self) -> Path:
        """The database of the loopback ARM."""
        return self.state / "emulator"

    @property
    def heartbeats(self) -> Path:
        """The records of heartbeats."""
        return self.state / "heartbeats"

    @property
    def pulses(self) -> Path:
        """Cached digests of the records of heartbeats."""
        return self.state / "pulses"

    @property
    def engine(self) -> Path:
        """Bases and layers of the local builder."""
        return self.state / "engine"

    @property
    def records(self) -> Path:
        """The journal: a file for every bake attempted here."""
        return self.state / "records"

    @property
    def runs(self) -> Path:
        """Notes of image-template runs that are under way, in a directory for each cloud."""
        return self.state / "runs"

    @property
    def logs(self) -> Path:
        """Logs of builds in Azure, kept because Azure deletes them with the template."""
        return self.state / "logs"

    @property
    def runbooks(self) -> Path:
        """The runbooks: the repository's own where it has them, else the shipped ones."""
        own = self.root / "docs" / "runbooks"
        return next((folder for folder in (own, *_BOOKS) if folder.is_dir()), own)

    def shown(self, path: Path) -> str:
        """Return *path* for a message: relative to the repository where it is inside."""
        try:
            return str(path.relative_to(self.root))
        except ValueError:
            return str(path)


def find_root(start: Path) -> Path:
    """Return the nearest directory at or above *start* with `image_specs/`, else *start*."""
    for folder in (start, *start.parents):
        if (folder / "image_specs").is_dir():
            return folder
    return start


def format_error(error: ImagebakeError, *, annotate: bool = False) -> str:
    """Return the message of *error*; with *annotate*, GitHub annotations of its files as well."""
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
    """The workspace, settings, progress and time of one command."""

    workspace: Workspace
    settings: Settings
    progress: reporting.Progress
    now: dt.datetime


def open_context(*, quiet: bool) -> Context:
    """Return the context of the environment and the current directory.

    With *quiet* there is no progress, because a program reads the output.
    """
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
    """Return the progress reporter that fits standard error: none, GitHub groups, live or plain."""
    if quiet:
        return reporting.NoProgress()
    if "GITHUB_ACTIONS" in os.environ:
        return reporting.GroupedProgress(sys.stderr)
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from imagebake.kernel.host.terminal import LiveProgress  # noqa: PLC0415 - rich, for people only

        return LiveProgress(sys.stderr)
    return reporting.PlainProgress(sys.stderr)


def ensure_programs(needs: Iterable[system_packages.Need], *, progress: reporting.Progress) -> None:
    """Install missing programs as root; without root, raise with the command that would."""
    lacking = system_packages.missing(needs)
    if not lacking:
        return
    if not system_packages.can_install():
        system_packages.require(lacking)
    packages = sorted({need.package for need in lacking})
    with progress.step(f"Install {', '.join(packages)}, which this needs"):
        system_packages.install(packages)
    system_packages.require(lacking)
