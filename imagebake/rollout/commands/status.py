"""`status`: per image and ring who is current, who was before, and what is next."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.inventory_file import inventory_json
from imagebake.azure.resources.resource_ids import key
from imagebake.kernel import context
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.digest import canonical_json
from imagebake.kernel.flags import ANY_IMAGE, JSON, Flag, Word
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import chosen
from imagebake.rollout.freezes import Gate
from imagebake.rollout.operation import Place, place
from imagebake.rollout.quota import quotas
from imagebake.rollout.status import COLUMNS, Row, status
from imagebake.rollout.undeclared_extensions import excess, remark
from imagebake.spec.model.image_spec import ImageSpec


def print_status(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    save: Annotated[
        str, Flag("a file for everything that was read; retire --inventory decides from it")
    ] = "",
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print where the images are; with *save*, keep what was read in a file."""
    site = context.site(quiet=as_json)
    specs = chosen(site, image, every=not image)
    with place(site) as at:
        inventory = at.inventory()
        closed = at.gate(specs)
        rows = standing_rows(at, specs, inventory)
    beyond = excess(specs, inventory, {})
    if save:
        write_atomically(Path(save), canonical_json(inventory_json(inventory)))
        site.progress.note(f"wrote {save}: ./inv retire --inventory {save} decides from it")
    if as_json:
        print_json(
            {
                "rings": [row.to_json() for row in rows],
                "gate": closed.to_json(),
                "quotas": [one.to_json() for one in quotas(inventory)],
                "unread": list(inventory.unread),
                "excess": [one.to_json() for one in beyond],
            }
        )
        return
    print_table(COLUMNS, (row.cells for row in rows))
    print_remarks(inventory, closed, remark(beyond))


def print_remarks(inventory: Inventory, closed: Gate, more: str = "") -> None:
    """Print what is not about one ring: quotas, what nobody knows, and why nothing moves now."""
    remarks = [one.sentence for one in quotas(inventory) if one.warns]
    remarks += [f"not known: {reason}" for reason in inventory.unread]
    remarks += [more] if more else []
    if not closed.open:
        remarks.append(closed.sentence)
    if remarks:
        print("\n" + "\n".join(remarks))


def standing_rows(at: Place, specs: Iterable[ImageSpec], inventory: Inventory) -> list[Row]:
    """The rows of `status`, once the replicas of what is current have been looked at one by one."""
    first = [row for spec in specs for row in status(spec, inventory, at.now())]
    current = {key(row.current.id) for row in first if row.current}
    known = at.looked_at(inventory, current)
    return [row for spec in specs for row in status(spec, known, at.now())]
