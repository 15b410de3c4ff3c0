"""The task `guard`: machines and scale sets with extensions that their image lacks."""

from __future__ import annotations

from typing import Annotated

from imagebake.azure.compute.machines import machine_extensions
from imagebake.kernel.console import print_json, print_table
from imagebake.kernel.context import open_context
from imagebake.kernel.errors import ValidationFailed
from imagebake.kernel.flags import ANY_IMAGE, JSON, Word
from imagebake.lock.selection import select_specs
from imagebake.rollout.operation import open_rollout
from imagebake.rollout.undeclared_extensions import COLUMNS, find_undeclared


def guard(
    image: Annotated[str, Word(ANY_IMAGE)] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Print the undeclared extensions of machines and scale sets; raise where there are any."""
    context = open_context(quiet=as_json)
    specs = select_specs(context, image, every=not image)
    with open_rollout(context) as at:
        inventory = at.inventory()
        machines = [machine.id for machine in inventory.machines]
        with context.progress.step("Read the extensions of machines", total=len(machines)):
            asked, unread = machine_extensions(at.session.cloud, machines)
    found = find_undeclared(specs, inventory, asked)
    unknown = [*inventory.unread, *unread]
    if as_json:
        print_json({"excess": [undeclared.to_json() for undeclared in found], "unread": unknown})
    elif found:
        print_table(COLUMNS, (undeclared.cells for undeclared in found))
    else:
        asking = f"{len(inventory.scale_sets)} scale sets and {len(machines)} machines"
        print(f"none of {asking} asks for more than its image holds")
    if unknown and not as_json:
        print("\n" + "\n".join(f"not known: {reason}" for reason in unknown))
    if found:
        who = len({undeclared.who for undeclared in found})
        raise ValidationFailed(
            f"{who} model{'s ask' if who > 1 else ' asks'} for more than the image holds",
            hint="take it out with the command above, or deliver it: "
            "docs/concepts/delivery-modes.md",
        )
