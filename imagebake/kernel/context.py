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
from imagebake.kernel.workspace import Workspace, find_root


def explain(error: ImagebakeError, *, annotate: bool = False) -> str:
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
class Site:
    """What every command stands on: where, how, when, and who is told."""

    workspace: Workspace
    settings: Settings
    progress: reporting.Progress
    now: dt.datetime


def site(*, quiet: bool) -> Site:
    """The site that the environment and the current directory name; *quiet* for programs."""
    named = os.environ.get("IMAGEBAKE_ROOT")
    root = Path(named).absolute() if named else find_root(Path.cwd())
    if not root.is_dir():
        raise UsageError(f"IMAGEBAKE_ROOT is {named!r}, and there is no such directory")
    settings = configuration.load(root, os.environ)
    state = Path(settings.state) if settings.state else root / ".imagebake"
    workspace = Workspace(root=root, state=state if state.is_absolute() else root / state)
    return Site(
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


def provide(needs: Iterable[system_packages.Need], *, progress: reporting.Progress) -> None:
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
