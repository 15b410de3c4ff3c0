"""`bump`: pins moved in the spec, and the lock with them; both or neither."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from imagebake import app, supply
from imagebake import lock as locks
from imagebake.app import Site
from imagebake.bump import PinMove, choose
from imagebake.catalog.components import PACKAGES
from imagebake.commands.locking import lock_one
from imagebake.commands.output import print_json, print_table
from imagebake.commands.selection import spec_of
from imagebake.host import system
from imagebake.host.files import write_atomically
from imagebake.model.spec import ImageSpec
from imagebake.pins.resolve import local_base
from imagebake.specs.edit import Edit, set_version
from imagebake.specs.load import load_spec


def bump(image: str, *, only: str, to: str, as_json: bool) -> None:
    """Move pins of *image* to newer versions, one scalar each, and lock it again."""
    site = app.site(quiet=as_json)
    spec = spec_of(site, image)
    app.provide(system.LOCK, progress=site.progress)
    archives = supply.archives(site)
    with site.progress.step("Read the archives"):
        suites = archives.open(
            local_base(spec).suite, spec.gallery.architecture.debian, now=site.now
        )
    moves = choose(spec, suites, components=PACKAGES, only=only, to=to)
    outcome = _carry_out(site, spec, moves) if moves else {"files": [], "moves": []}
    if as_json:
        print_json({"pins": [[move.name, move.old, move.new] for move in moves], **outcome})
        return
    if not moves:
        print(f"{image}: every pin is at the newest version of its archive")
        return
    print_table(("pin", "from", "to"), [(move.name, move.old, move.new) for move in moves])
    print("".join(f"  {move}\n" for move in outcome["moves"]), end="")
    for shared in (file for file in outcome["files"] if not file.endswith(f"/{image}.yaml")):
        print(f"{shared} may serve other images, too: ./inv lock --all")


def _carry_out(site: Site, spec: ImageSpec, moves: tuple[PinMove, ...]) -> dict[str, list[str]]:
    path = site.workspace.specs / f"{spec.name}.yaml"
    with _undone_on_failure() as edits:
        for move in moves:
            edit = set_version(path, move.name, move.new, root=site.workspace.root)
            edits.append(edit)
            write_atomically(edit.path, edit.after)
        moved = load_spec(path, root=site.workspace.root)
        before, after = lock_one(site, moved)
        locks.write_lock(site.workspace.lock_path(spec.name), after)
    changed = locks.moves(before, after) if before else ()
    files = sorted({site.workspace.shown(edit.path) for edit in edits})
    return {"files": files, "moves": [str(move) for move in changed]}


@contextlib.contextmanager
def _undone_on_failure() -> Iterator[list[Edit]]:
    """A list of edits that were written; the files are as they were if anything fails."""
    edits: list[Edit] = []
    try:
        yield edits
    except BaseException:
        for edit in reversed(edits):
            write_atomically(edit.path, edit.before)
        raise
