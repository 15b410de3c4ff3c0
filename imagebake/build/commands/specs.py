"""The task `specs`."""

from __future__ import annotations

from typing import Annotated

from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import LockError
from imagebake.kernel.flags import JSON
from imagebake.lock import locking
from imagebake.spec.load import load_all
from imagebake.spec.model.image_spec import ImageSpec


def specs(
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print every spec with its source, its pins, and the state of its lock."""
    context = open_context(quiet=as_json)
    loaded = load_all(context.workspace.specs, root=context.workspace.root)
    if as_json:
        print_json(
            [spec.to_json() | {"lock": _lock_state(context, spec)} for spec in loaded.values()]
        )
        return
    if not loaded:
        print(
            f"there is no spec in {context.workspace.specs}: "
            "docs/start/tutorial.md writes the first one"
        )
        return
    print_table(
        ("image", "source", "pins", "owner", "lock", "description"),
        [
            (
                spec.name,
                spec.source.urn,
                str(len(spec.pins)),
                spec.owner,
                _lock_state(context, spec),
                spec.description,
            )
            for spec in loaded.values()
        ],
    )


def _lock_state(context: Context, spec: ImageSpec) -> str:
    path = context.workspace.lock_path(spec.name)
    if not path.is_file():
        return "missing"
    try:
        locking.check_lock(spec, locking.load_lock(path))
    except LockError:
        return "stale"
    return "fresh"
