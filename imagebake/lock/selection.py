"""Select the specs that a command line names, and load their locks and templates."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator
from pathlib import Path

from imagebake.kernel.context import Context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.templating import Templates
from imagebake.lock import locking
from imagebake.spec.load import load_all, load_spec, spec_names
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec


def select_specs(context: Context, image: str, *, every: bool) -> tuple[ImageSpec, ...]:
    """Return the spec called *image*, or with *every* all specs."""
    if bool(image) == every:
        message = (
            "name an image or give --all, not both" if image else "name an image, or give --all"
        )
        raise UsageError(message, hint=_known(context))
    if every:
        specs = tuple(load_all(context.workspace.specs, root=context.workspace.root).values())
        if not specs:
            raise UsageError(f"there is no spec in {context.workspace.specs}", hint=_FIRST)
        return specs
    return (find_spec(context, image),)


def find_spec(context: Context, image: str) -> ImageSpec:
    """Load the spec called *image*; raises `UsageError` with the known names."""
    names = spec_names(context.workspace.specs)
    if image not in names:
        near = difflib.get_close_matches(image, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else _known(context)
        raise UsageError(f"there is no image spec called {image!r}", hint=hint)
    return load_spec(context.workspace.specs / f"{image}.yaml", root=context.workspace.root)


def fresh_lock(context: Context, spec: ImageSpec) -> Lock:
    """Load the lock of *spec*; raises `LockError` when it is missing or stale."""
    lock = locking.load_lock(context.workspace.lock_path(spec.name))
    locking.check_lock(spec, lock)
    return lock


def split_version(text: str) -> tuple[str, str | None]:
    """Split `IMAGE@VERSION`; the version is None when only an image is named."""
    if not text:
        raise UsageError("name an image, or IMAGE@VERSION", hint="./inv versions lists them")
    image, _, version = text.partition("@")
    if not image:
        raise UsageError(f"{text!r} names no image", hint="it is IMAGE@VERSION")
    return image, version or None


_FIRST = "docs/start/tutorial.md writes the first one"


def _known(context: Context) -> str:
    names: Iterator[str] = iter(spec_names(context.workspace.specs))
    listed = ", ".join(names)
    return f"images: {listed}" if listed else "there is no spec in image_specs/ yet"


def templates(context: Context) -> Templates:
    """Return the workspace's templates, compiled once for all images."""
    return compile_templates(context.workspace.templates)


@functools.cache
def compile_templates(folder: Path) -> Templates:
    """Compile the templates in *folder*; they do not change while a command runs."""
    return Templates(folder)
