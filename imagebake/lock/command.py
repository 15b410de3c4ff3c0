"""The task `lock`."""

from __future__ import annotations

from typing import Annotated, Any

from imagebake.kernel.console import print_json
from imagebake.kernel.context import Context, ensure_programs, open_context
from imagebake.kernel.errors import LockError
from imagebake.kernel.flags import EVERY, IMAGE, JSON, Flag, Word
from imagebake.kernel.host import system_packages
from imagebake.lock import artifact_sources, locking
from imagebake.lock.selection import select_specs
from imagebake.spec.catalogue.components import packages_on
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec


def lock(
    image: Annotated[str, Word(IMAGE)] = "",
    *,
    every: Annotated[bool, EVERY] = False,
    check: Annotated[
        bool, Flag("only say whether the lock is fresh; offline, writes nothing")
    ] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Lock the selected images, or with *check* raise `LockError` for stale locks."""
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=every)
    if check:
        _check(context, specs, as_json=as_json)
        return
    if not all(spec.gallery.is_windows for spec in specs):
        ensure_programs(system_packages.LOCK, progress=context.progress)
    outcomes = []
    for spec in specs:
        before, after = lock_one(context, spec)
        outcomes.append(_outcome(context, spec, before, after))
    if as_json:
        print_json(outcomes)
        return
    for outcome in outcomes:
        what = (
            f"{outcome['packages']} packages" if outcome["packages"] else _counted(outcome["files"])
        )
        print(f"{outcome['image']}: {outcome['outcome']}, {what} in {outcome['lock']}")
        print("".join(f"  {move}\n" for move in outcome["moves"]), end="")


def lock_one(context: Context, spec: ImageSpec) -> tuple[Lock | None, Lock]:
    """Return the present lock of *spec*, if any, and the newly resolved one; write neither."""
    path = context.workspace.lock_path(spec.name)
    try:
        before = locking.load_lock(path)
    except LockError:
        before = None
    archives = artifact_sources.find_machine_archives(context)
    after = locking.lock_image(
        spec,
        components=packages_on(spec.distribution),
        previous=before,
        archives=archives,
        mirror=artifact_sources.open_mirror(context, archives),
        now=context.now,
        progress=context.progress,
    )
    return before, after


def _outcome(context: Context, spec: ImageSpec, before: Lock | None, after: Lock) -> dict[str, Any]:
    path = context.workspace.lock_path(spec.name)
    wrote = locking.write_lock(path, after)
    moves = locking.package_moves(before, after) if before else ()
    return {
        "image": spec.name,
        "outcome": "unchanged" if not wrote else "locked again" if before else "locked",
        "packages": len(after.packages),
        "files": len(after.artifacts) - len(after.packages),
        "lock": context.workspace.shown(path),
        "moves": [str(move) for move in moves],
    }


def _check(context: Context, specs: tuple[ImageSpec, ...], *, as_json: bool) -> None:
    stale: dict[str, str] = {}
    for spec in specs:
        try:
            locking.check_lock(spec, locking.load_lock(context.workspace.lock_path(spec.name)))
        except LockError as error:
            stale[spec.name] = error.message
    if as_json:
        print_json({spec.name: stale.get(spec.name, "fresh") for spec in specs})
    if stale:
        only = next(iter(stale)) if len(stale) == 1 else "--all"
        raise LockError("\n".join(stale.values()), hint=f"./inv lock {only}")
    if not as_json:
        print("\n".join(f"{spec.name}: the lock is fresh" for spec in specs))


def _counted(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"
