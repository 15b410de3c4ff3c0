"""Sandbox copy of a workspace that is removed even if this process is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from imagebake.emulator.store import snapshot
from imagebake.kernel.context import Context, Workspace
from imagebake.kernel.host import process

_FOLDER = "rehearsals"
_LINKED = ("mirror", "engine")
"""Directories of immutable files: hard links are enough for a copy."""
_OWN = ("locks", "tmp")
"""Parts of the engine for processes that share it; a copy starts with empty ones."""
_DATABASE = "arm.sqlite3"
_REMOVE = (
    'tail --pid="$1" -f /dev/null; for _ in 1 2 3 4 5; do rm -rf -- "$2" && exit; sleep 1; done'
)
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class RehearsalSandbox:
    """The copy: a repository of its own, and a state directory of its own."""

    workspace: Workspace


@contextlib.contextmanager
def open_sandbox(context: Context, name: str) -> Iterator[RehearsalSandbox]:
    """A copy of *context*'s specs and state until the context is left, or this process killed."""
    folder = context.workspace.state / _FOLDER / f"{name}-{os.getpid()}"
    _sweep(folder.parent)
    folder.mkdir(parents=True)
    remover = process.start(
        ["setsid", "sh", "-c", _REMOVE, "sh", str(os.getpid()), folder], stdout=process.IGNORED
    )
    try:
        made = Workspace(root=folder / "site", state=folder / "state")
        _copy_site(context.workspace, made)
        _copy_state(context.workspace, made)
        yield RehearsalSandbox(made)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            folder.parent.rmdir()
        process.end(remover, patience=_PATIENCE)


def _sweep(folder: Path) -> None:
    """Remove the sandboxes that a crashed machine left behind."""
    for left in folder.glob("*"):
        if not Path("/proc", left.name.rpartition("-")[2]).exists():
            shutil.rmtree(left, ignore_errors=True)


def _copy_site(of: Workspace, to: Workspace) -> None:
    shutil.copytree(of.specs, to.specs)
    for name in ("imagebake.yaml", "templates"):
        if (there := of.root / name).exists():
            process.run(["cp", "-a", there, to.root / name])


def _copy_state(of: Workspace, to: Workspace) -> None:
    to.state.mkdir()
    for name in _LINKED:
        if (there := of.state / name).is_dir():
            process.run(["cp", "-al", there, to.state / name])
    for name in _OWN:
        if (shared := to.engine / name).is_dir():
            shutil.rmtree(shared)
            shared.mkdir(mode=0o700)
    if of.indexes.is_dir():
        process.run(["cp", "-a", of.indexes, to.indexes])
    if of.emulator.is_dir():
        shutil.copytree(of.emulator, to.emulator, ignore=shutil.ignore_patterns(f"{_DATABASE}*"))
        if (there := of.emulator / _DATABASE).exists():
            snapshot(there, to.emulator / _DATABASE)
