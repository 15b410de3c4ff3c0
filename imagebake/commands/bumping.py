"""`bump`: pins moved in the spec, and the lock with them; both or neither."""

from __future__ import annotations

from imagebake import app
from imagebake.bump import choose
from imagebake.commands.moving import Changes, carry_out
from imagebake.commands.outlooks import outlooks
from imagebake.commands.output import print_json, print_table
from imagebake.commands.selection import spec_of
from imagebake.specs.edit import set_keys


def bump(image: str, *, only: str, to: str, refresh: bool, as_json: bool) -> None:
    """Move pins of *image* to newer versions that its spec allows, and lock it again."""
    site = app.site(quiet=as_json)
    spec = spec_of(site, image)
    found = outlooks(site, (spec,), refresh=refresh)[spec.name]
    moves = choose(image, found, only=only, to=to)
    moving = {move.name for move in moves}
    left = [
        (one.subject.name, one.why)
        for one in found
        if one.why and one.subject.name not in moving and only in ("", one.subject.name)
    ]
    changes = Changes()
    path = site.workspace.specs / f"{spec.name}.yaml"
    for move in moves:
        changes.add(
            set_keys(path, move.name, move.values, root=site.workspace.root, instead=changes.after)
        )
    outcome = carry_out(site, spec, changes) if moves else None
    if as_json:
        said = outcome.to_json() if outcome else {"files": [], "moves": {}, "diff": ""}
        print_json(
            {
                "pins": [[move.name, move.old, move.new] for move in moves],
                "left": dict(left),
                **said,
            }
        )
        return
    for name, why in left:
        site.progress.note(f"{name}: {why}")
    if outcome is None:
        print(f"{image}: every pin is at the newest version that its spec allows")
        return
    print_table(("pin", "from", "to"), [(move.name, move.old, move.new) for move in moves])
    print(f"\n{outcome.diff}", end="")
    for name, each in outcome.moves.items():
        if name != image:
            print(f"{name} has a part in this: locked again, {len(each)} versions moved")
