"""Edits of specs with their locks: all of them, or none."""

from __future__ import annotations

import contextlib
import difflib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebake.kernel.context import Context, ensure_programs
from imagebake.kernel.errors import LockError
from imagebake.kernel.host import system_packages
from imagebake.kernel.host.files import write_atomically
from imagebake.lock import artifact_sources, locking
from imagebake.lock.archive import Archives
from imagebake.spec.catalogue.components import packages_on
from imagebake.spec.edit import Edit
from imagebake.spec.load import load_all, load_spec
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec


@dataclass(slots=True)
class SpecTransaction:
    """Sequential edits of specs; nothing is written before `commit_transaction`."""

    before: dict[Path, bytes] = field(default_factory=dict)
    after: dict[Path, bytes] = field(default_factory=dict)

    def add(self, edit: Edit) -> None:
        """Take *edit*, which began where the last one of its file ended."""
        self.before.setdefault(edit.path, edit.before)
        self.after[edit.path] = edit.after


@dataclass(frozen=True, slots=True)
class SpecOutcome:
    """Files written by a transaction, with their diff."""

    files: tuple[str, ...]
    diff: str
    moves: Mapping[str, tuple[locking.PackageMove, ...]]

    def to_json(self) -> dict[str, Any]:
        """The outcome for programs."""
        moves = {name: [str(move) for move in each] for name, each in self.moves.items()}
        return {"files": list(self.files), "moves": moves, "diff": self.diff}


def commit_transaction(context: Context, spec: ImageSpec, changes: SpecTransaction) -> SpecOutcome:
    """Lock every image that *changes* reach, then write specs and locks.

    *spec* was edited; other images change with it where a shared file was. Until every
    lock is resolved nothing is written, and a failed write restores the files before it.
    """
    files: dict[Path, bytes] = dict(changes.after)
    before: dict[Path, bytes] = dict(changes.before)
    moves: dict[str, tuple[locking.PackageMove, ...]] = {}
    for old, new in _reached(context, spec, changes):
        path = context.workspace.lock_path(new.name)
        previous = _previous(path)
        after = _relock(context, old, new, previous)
        files[path] = after.canonical
        if path.is_file():
            before[path] = path.read_bytes()
        moves[new.name] = locking.package_moves(previous, after) if previous else ()
    changed = {path: content for path, content in files.items() if before.get(path) != content}
    with _undone_on_failure(before) as written:
        for path, content in changed.items():
            write_atomically(path, content)
            written.append(path)
    shown = {context.workspace.shown(path): path for path in changed}
    texts = (_diff(name, before.get(path, b""), changed[path]) for name, path in shown.items())
    return SpecOutcome(tuple(sorted(shown)), "".join(texts), moves)


def _reached(
    context: Context, spec: ImageSpec, changes: SpecTransaction
) -> Iterator[tuple[ImageSpec, ImageSpec]]:
    """Yield every image whose lock the edits make stale, before and after them."""
    root, folder = context.workspace.root, context.workspace.specs
    own = folder / f"{spec.name}.yaml"
    new = load_spec(own, root=root, instead=changes.after)
    yield spec, new
    if set(changes.after) <= {own}:
        return
    others = load_all(folder, root=root)
    for name, after in load_all(folder, root=root, instead=changes.after).items():
        differs = after.lock_inputs() != others[name].lock_inputs()
        if name != spec.name and differs and context.workspace.lock_path(name).is_file():
            yield others[name], after


def _previous(path: Path) -> Lock | None:
    try:
        return locking.load_lock(path)
    except LockError:
        return None


def _relock(context: Context, old: ImageSpec, new: ImageSpec, previous: Lock | None) -> Lock:
    archives = functools.cache(functools.partial(_archives, context))
    return locking.relock(
        old,
        new,
        components=packages_on(new.distribution),
        previous=previous,
        archives=archives,
        mirror=lambda: artifact_sources.open_mirror(context, archives()),
        now=context.now,
        progress=context.progress,
    )


def _archives(context: Context) -> Archives:
    ensure_programs(system_packages.LOCK, progress=context.progress)
    return artifact_sources.find_machine_archives(context)


@contextlib.contextmanager
def _undone_on_failure(before: Mapping[Path, bytes]) -> Iterator[list[Path]]:
    """Yield a list for the files written; restore them if the body fails."""
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in reversed(written):
            if path in before:
                write_atomically(path, before[path])
            else:
                path.unlink(missing_ok=True)
        raise


def _diff(name: str, before: bytes, after: bytes) -> str:
    """Return the unified diff of one file, with one line of context."""
    if not before:
        return f"{name} is new\n"
    old, new = (text.decode().splitlines(keepends=True) for text in (before, after))
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", n=1)
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
