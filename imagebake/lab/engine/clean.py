"""Make room: the layers that nobody asked for the longest go first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.kernel.host import files, namespaces
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.engine.store import IN_USE, Store


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a cleaning did, in layers and bytes of the disk."""

    removed: int
    freed: int
    left: int


def clean(
    folder: Path, *, budget: int, keep: Iterable[Mapping[str, Any]], dry_run: bool = False
) -> Cleaned:
    """Remove layers below *folder* until at most *budget* bytes are left.

    What a record of *keep* stands on stays, whatever the budget. Raises `EngineFailed` while
    a build or an export on this machine reads layers.
    """
    store = Store(folder.absolute())
    with files.locked(store.folder / "locks" / IN_USE, wait=False) as alone:
        if not alone:
            raise EngineFailed(
                "the layers are in use by a build that runs now",
                code="StoreBusy",
                hint="try again when it has ended",
            )
        if not dry_run:
            store.sweep()
        return _shrink(store, budget, _needed(keep), dry_run=dry_run)


def _shrink(store: Store, budget: int, needed: set[str], *, dry_run: bool) -> Cleaned:
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
    return Cleaned(removed, freed, left)


def _remove(store: Store, layer: Path) -> None:
    # Without its description a layer is not there, should we die half way.
    (layer / "layer.json").unlink(missing_ok=True)
    namespaces.remove(layer)
    (store.folder / "content" / f"{layer.name}.json").unlink(missing_ok=True)
    store.lock_path(layer.name).unlink(missing_ok=True)


def _needed(keep: Iterable[Mapping[str, Any]]) -> set[str]:
    return {key for record in keep for key in (record["base"], *record["layers"])}


def _last_use(layer: Path) -> float:
    """When the layer was last asked for; never, if it is not whole."""
    try:
        return (layer / "layer.json").stat().st_mtime
    except FileNotFoundError:
        return 0.0
