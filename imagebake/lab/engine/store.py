"""The layer store: trees by key, each published whole or not at all, and their removal."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.kernel.digest import canonical_json
from imagebake.kernel.host import files, namespaces
from imagebake.lab.engine.errors import Cancelled, EngineFailed

Make = Callable[[Path], dict[str, Any]]
"""Fills `root` of the folder it is given, and returns the metadata to store."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
IN_USE = "in-use"
"""The lock that readers of layers share, and that cleaning takes exclusively."""

_BETWEEN_TRIES = 0.05


@dataclass(frozen=True, slots=True)
class Layer:
    """A tree in the store: the changes of one step, or a whole base."""

    key: str
    folder: Path
    cached: bool

    @property
    def root(self) -> Path:
        """The tree itself."""
        return self.folder / "root"


@dataclass(frozen=True, slots=True)
class LayerStore:
    """Bases and layers, shared by all builds on this machine that use the same folder.

    `layers/<key>` is published by a rename. `tmp/` holds trees in the making; the next holder of
    their lock removes those of a killed process. Nothing is synced to disk while a build runs:
    after a crash of the machine a layer counts only if `persist` has synced it.
    """

    folder: Path

    def path(self, key: str) -> Path:
        """Return the path of the tree of *key*, whether it exists or not."""
        return self.folder / "layers" / key

    def layer(self, key: str) -> Layer | None:
        """Return the published tree of *key* and mark it as used now; None if there is none."""
        folder = self.path(key)
        try:
            known = json.loads((folder / "layer.json").read_bytes())
            os.utime(folder / "layer.json")
        except (FileNotFoundError, ValueError):
            return None
        # Another boot id: the machine may have crashed before the layer reached the disk.
        if known["boot"] not in ("settled", _boot()):
            return None
        return Layer(key, folder, cached=True)

    def obtain(self, key: str, make: Make, *, cancelled: Callable[[], bool]) -> Layer:
        """Return the tree of *key*, made by *make* unless it exists or another build makes it."""
        if found := self.layer(key):
            return found
        with self._alone(key, cancelled):
            if found := self.layer(key):
                return found
            namespaces.remove(self.path(key))
            with self.scratch(key) as attempt:
                facts = make(attempt)
                self._publish(key, attempt, facts)
        return Layer(key, self.path(key), cached=False)

    @contextlib.contextmanager
    def scratch(self, key: str) -> Iterator[Path]:
        """Provide a folder with empty `root`, `work` and `at`, removed when the context ends.

        The caller holds the lock of *key*.
        """
        attempt = self.folder / "tmp" / key
        namespaces.remove(attempt)
        try:
            with disk_full_errors(self.folder):
                self._private("tmp")
                for name in ("root", "work", "at"):
                    (attempt / name).mkdir(parents=True)
                (attempt / "root").chmod(0o755)
                yield attempt
        finally:
            namespaces.remove(attempt)

    @contextlib.contextmanager
    def temporary_tree(self, name: str) -> Iterator[Path]:
        """Provide a `scratch` folder of this thread for a tree that is never published."""
        key = f"{name}-{os.getpid()}-{threading.get_ident()}"
        with files.file_lock(self.lock_path(key)), self.scratch(key) as attempt:
            yield attempt
        self.lock_path(key).unlink(missing_ok=True)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep every layer in place while the context is open."""
        with files.file_lock(self.folder / "locks" / IN_USE, shared=True):
            yield

    def lock_path(self, key: str) -> Path:
        """Return the lock held while the tree of *key* is made."""
        return self.folder / "locks" / key

    def sweep(self) -> None:
        """Remove trees that killed processes left; those in the making stay."""
        for attempt in self._entries("tmp"):
            with files.file_lock(self.lock_path(attempt.name), wait=False) as held:
                if held:
                    namespaces.remove(attempt)

    def persist(self, keys: tuple[str, ...]) -> None:
        """Sync the layers of *keys* to disk, so that they survive a crash of the machine."""
        fresh = [key for key in keys if self._boot_of(key) not in ("settled", None)]
        if not fresh:
            return
        os.sync()
        for key in fresh:
            path = self.path(key) / "layer.json"
            known = json.loads(path.read_bytes())
            files.write_atomically(path, canonical_json({**known, "boot": "settled"}))

    def _boot_of(self, key: str) -> str | None:
        try:
            known: dict[str, str] = json.loads((self.path(key) / "layer.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return known["boot"]

    @contextlib.contextmanager
    def _alone(self, key: str, cancelled: Callable[[], bool]) -> Iterator[None]:
        pause = threading.Event()
        while True:
            with files.file_lock(self.lock_path(key), wait=False) as held:
                if held:
                    yield
                    return
            if cancelled():
                raise Cancelled
            pause.wait(_BETWEEN_TRIES)

    def _publish(self, key: str, attempt: Path, facts: dict[str, Any]) -> None:
        for name in ("work", "at"):
            namespaces.remove(attempt / name)
        known = {**facts, "key": key, "boot": _boot()}
        (attempt / "layer.json").write_bytes(canonical_json(known))
        self._private("layers")
        attempt.rename(self.path(key))

    def _private(self, name: str) -> None:
        """Make a folder for this user only: a tree may hold set-user-id programs of root."""
        (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _entries(self, name: str) -> list[Path]:
        folder = self.folder / name
        return sorted(folder.iterdir()) if folder.is_dir() else []


@contextlib.contextmanager
def disk_full_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk, however it shows, into one error message."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise disk_full_error(folder) from error
    except EngineFailed as error:
        if "No space left on device" in error.output:
            raise disk_full_error(folder) from error
        raise


def disk_full_error(folder: Path) -> EngineFailed:
    """Return the error of a build whose store has no room."""
    return EngineFailed(
        f"the disk of {folder} is full",
        code="DiskFull",
        hint="`./inv clean` makes room; IMAGEBAKE_STATE moves the store to another disk",
    )


def _boot() -> str:
    return _BOOT_ID.read_text().strip()


@dataclass(frozen=True, slots=True)
class CleanResult:
    """The result of cleaning: numbers of layers and bytes."""

    removed: int
    freed: int
    left: int


def clean(
    folder: Path, *, budget: int, keep: Iterable[Mapping[str, Any]], dry_run: bool = False
) -> CleanResult:
    """Remove layers below *folder*, the longest unused first, down to *budget* bytes.

    Layers of a record in *keep* stay, whatever the budget. Raises `EngineFailed` while a build or
    an export on this machine reads layers.
    """
    store = LayerStore(folder.absolute())
    with files.file_lock(store.folder / "locks" / IN_USE, wait=False) as alone:
        if not alone:
            raise EngineFailed(
                "the layers are in use by a build that runs now",
                code="StoreBusy",
                hint="try again when it has ended",
            )
        if not dry_run:
            store.sweep()
        return _shrink(store, budget, _needed(keep), dry_run=dry_run)


def _shrink(store: LayerStore, budget: int, needed: set[str], *, dry_run: bool) -> CleanResult:
    parent = store.folder / "layers"
    layers = sorted(parent.iterdir(), key=_last_use) if parent.is_dir() else []
    sizes = namespaces.sizes(layers)
    left = sum(sizes.values())
    removed = freed = 0
    for layer in layers:
        if left <= budget:
            break
        if layer.name in needed:
            continue
        if not dry_run:
            _remove(store, layer)
        removed, freed, left = removed + 1, freed + sizes[layer], left - sizes[layer]
    return CleanResult(removed, freed, left)


def _remove(store: LayerStore, layer: Path) -> None:
    # A layer without its description does not exist, should this process die half way.
    (layer / "layer.json").unlink(missing_ok=True)
    namespaces.remove(layer)
    (store.folder / "content" / f"{layer.name}.json").unlink(missing_ok=True)
    store.lock_path(layer.name).unlink(missing_ok=True)


def _needed(keep: Iterable[Mapping[str, Any]]) -> set[str]:
    return {key for record in keep for key in (record["base"], *record["layers"])}


def _last_use(layer: Path) -> float:
    """Return when the layer was last used; 0 if it is incomplete."""
    try:
        return (layer / "layer.json").stat().st_mtime
    except FileNotFoundError:
        return 0.0
