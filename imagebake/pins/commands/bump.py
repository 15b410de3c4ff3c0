"""`bump`: pins moved in the spec, and the lock with them; both or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from imagebake.kernel import context
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Site
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import EVERY, IMAGE, JSON, REFRESH, Flag, Word
from imagebake.lock.selection import chosen, spec_of
from imagebake.pins.bump import PinMove, choose
from imagebake.pins.outlooks import outlooks
from imagebake.pins.transaction import Changes, Outcome, carry_out
from imagebake.spec.edit import set_keys


def bump(
    image: Annotated[str, Word(IMAGE)] = "",
    *,
    every: Annotated[bool, EVERY] = False,
    only: Annotated[
        str, Flag("one pin, an extension's PUBLISHER.TYPE, or source (default: everything)")
    ] = "",
    to: Annotated[
        str, Flag("the version it moves to (default: the newest that the spec allows)")
    ] = "",
    refresh: Annotated[bool, Flag(REFRESH)] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Move pins of the chosen images to newer versions that their specs allow, and lock again.

    Images are taken one after the other, because they may share the files that pins are in.
    """
    site = context.site(quiet=as_json)
    if every and (only or to):
        raise UsageError("--only and --to are about one image", hint="./inv bump IMAGE --only PIN")
    names = [spec.name for spec in chosen(site, image, every=every)]
    done = [_bump(site, name, only=only, to=to, refresh=refresh) for name in names]
    if as_json:
        said = [one.to_json() for one in done]
        print_json(dict(zip(names, said, strict=True)) if every else said[0])
        return
    for one in done:
        one.print(site)


@dataclass(frozen=True, slots=True)
class _Bumped:
    """What came of one image: pins that moved, those that stayed and why, and the files."""

    image: str
    moves: tuple[PinMove, ...]
    left: Mapping[str, str]
    outcome: Outcome | None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        said = self.outcome.to_json() if self.outcome else {"files": [], "moves": {}, "diff": ""}
        pins = [[move.name, move.old, move.new] for move in self.moves]
        return {"pins": pins, "left": dict(self.left), **said}

    def print(self, site: Site) -> None:
        """For people."""
        for name, why in self.left.items():
            site.progress.note(f"{name}: {why}")
        if self.outcome is None:
            print(f"{self.image}: every pin is at the newest version that its spec allows")
            return
        print_table(("pin", "from", "to"), [(one.name, one.old, one.new) for one in self.moves])
        print(f"\n{self.outcome.diff}", end="")
        for name, each in self.outcome.moves.items():
            if name != self.image:
                print(f"{name} has a part in this: locked again, {len(each)} versions moved")


def _bump(site: Site, image: str, *, only: str, to: str, refresh: bool) -> _Bumped:
    spec = spec_of(site, image)
    found = outlooks(site, (spec,), refresh=refresh)[spec.name]
    moves = choose(image, found, only=only, to=to)
    moving = {move.name for move in moves}
    left = {
        one.subject.name: one.why
        for one in found
        if one.why and one.subject.name not in moving and only in ("", one.subject.name)
    }
    changes = Changes()
    path = site.workspace.specs / f"{spec.name}.yaml"
    for move in moves:
        changes.add(
            set_keys(path, move.name, move.values, root=site.workspace.root, instead=changes.after)
        )
    return _Bumped(image, moves, left, carry_out(site, spec, changes) if moves else None)
