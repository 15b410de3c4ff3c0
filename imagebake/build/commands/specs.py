"""`specs`: what can be baked."""

from __future__ import annotations

from typing import Annotated

from imagebake.kernel import context
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Site
from imagebake.kernel.errors import LockError
from imagebake.kernel.flags import JSON
from imagebake.lock import locking as locks
from imagebake.spec.load import load_all
from imagebake.spec.model.image_spec import ImageSpec


def specs(
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print every spec with its source, its pins, and the state of its lock."""
    site = context.site(quiet=as_json)
    loaded = load_all(site.workspace.specs, root=site.workspace.root)
    if as_json:
        print_json([spec.to_json() | {"lock": _lock_state(site, spec)} for spec in loaded.values()])
        return
    if not loaded:
        print(f"there is no spec in {site.workspace.specs}: docs/tutorial.md writes the first one")
        return
    print_table(
        ("image", "source", "pins", "owner", "lock", "description"),
        [
            (
                spec.name,
                spec.source.urn,
                str(len(spec.pins)),
                spec.owner,
                _lock_state(site, spec),
                spec.description,
            )
            for spec in loaded.values()
        ],
    )


def _lock_state(site: Site, spec: ImageSpec) -> str:
    path = site.workspace.lock_path(spec.name)
    if not path.is_file():
        return "missing"
    try:
        locks.check_lock(spec, locks.load_lock(path))
    except LockError:
        return "stale"
    return "fresh"
