"""The task `status`: the current, previous and next version of each ring."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.inventory_file import inventory_json
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import open_context
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.flags import ANY_IMAGE, JSON, Flag, Word
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import select_specs
from imagebake.rollout.freezes import RolloutGate
from imagebake.rollout.operation import open_rollout, read_status
from imagebake.rollout.quota import quotas
from imagebake.rollout.status import COLUMNS
from imagebake.rollout.undeclared_extensions import find_undeclared, undeclared_note


def print_status(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    save: Annotated[
        str, Flag("a file for everything that was read; retire --inventory decides from it")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the state of the rings; with *save*, write the inventory to a file."""
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=not image)
    with open_rollout(context) as at:
        inventory = at.inventory()
        closed = at.gate(specs)
        rows = read_status(at, specs, inventory)
    beyond = find_undeclared(specs, inventory, {})
    if save:
        write_atomically(Path(save), canonical_json(inventory_json(inventory)))
        context.progress.note(f"wrote {save}: ./inv retire --inventory {save} decides from it")
    if as_json:
        print_json(
            {
                "rings": [row.to_json() for row in rows],
                "gate": closed.to_json(),
                "quotas": [quota.to_json() for quota in quotas(inventory)],
                "unread": list(inventory.unread),
                "excess": [undeclared.to_json() for undeclared in beyond],
            }
        )
        return
    print_table(COLUMNS, (row.cells for row in rows))
    print_remarks(inventory, closed, undeclared_note(beyond))


def print_remarks(inventory: Inventory, closed: RolloutGate, more: str = "") -> None:
    """Print remarks that are not about one ring: quotas, unreadable parts and a closed gate."""
    remarks = [quota.sentence for quota in quotas(inventory) if quota.warns]
    remarks += [f"not known: {reason}" for reason in inventory.unread]
    remarks += [more] if more else []
    if not closed.open:
        remarks.append(closed.sentence)
    if remarks:
        print("\n" + "\n".join(remarks))
