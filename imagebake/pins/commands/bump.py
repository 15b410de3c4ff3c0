"""The task `bump`: move pins in a spec and its lock, both or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import Context, open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import EVERY, IMAGE, JSON, REFRESH, Flag, Word
from imagebake.lock.selection import find_spec, select_specs
from imagebake.pins.bump import PinMove, select_moves
from imagebake.pins.pin_status import read_statuses_by_image
from imagebake.pins.transaction import SpecOutcome, SpecTransaction, commit_transaction
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
    """Move pins of the selected images to newer versions that their specs allow, and relock.

    Images are bumped in sequence, because they may share the files that hold the pins.
    """
    context = open_context(quiet=as_json)
    if every and (only or to):
        raise UsageError("--only and --to are about one image", hint="./inv bump IMAGE --only PIN")
    names = [spec.name for spec in select_specs(context, image, every=every)]
    done = [_bump(context, name, only=only, to=to, refresh=refresh) for name in names]
    if as_json:
        documents = [outcome.to_json() for outcome in done]
        print_json(dict(zip(names, documents, strict=True)) if every else documents[0])
        return
    for result in done:
        result.print(context)


@dataclass(frozen=True, slots=True)
class _Bumped:
    """Result for one image: moved pins, the reasons of those that stayed, and the files."""

    image: str
    moves: tuple[PinMove, ...]
    left: Mapping[str, str]
    outcome: SpecOutcome | None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        document = (
            self.outcome.to_json() if self.outcome else {"files": [], "moves": {}, "diff": ""}
        )
        pins = [[move.name, move.old, move.new] for move in self.moves]
        return {"pins": pins, "left": dict(self.left), **document}

    def print(self, context: Context) -> None:
        """For people."""
        for name, why in self.left.items():
            context.progress.note(f"{name}: {why}")
        if self.outcome is None:
            print(f"{self.image}: every pin is at the newest version that its spec allows")
            return
        print_table(("pin", "from", "to"), [(move.name, move.old, move.new) for move in self.moves])
        print(f"\n{self.outcome.diff}", end="")
        for name, each in self.outcome.moves.items():
            if name != self.image:
                print(f"{name} has a part in this: locked again, {len(each)} versions moved")


def _bump(context: Context, image: str, *, only: str, to: str, refresh: bool) -> _Bumped:
    spec = find_spec(context, image)
    found = read_statuses_by_image(context, (spec,), refresh=refresh)[spec.name]
    moves = select_moves(image, found, only=only, to=to)
    moving = {move.name for move in moves}
    left = {
        status.item.name: status.why
        for status in found
        if status.why and status.item.name not in moving and only in ("", status.item.name)
    }
    changes = SpecTransaction()
    path = context.workspace.specs / f"{spec.name}.yaml"
    for move in moves:
        changes.add(
            set_keys(
                path, move.name, move.values, root=context.workspace.root, instead=changes.after
            )
        )
    return _Bumped(
        image, moves, left, commit_transaction(context, spec, changes) if moves else None
    )
