"""The task `gate`: whether fleets may be changed now."""

from __future__ import annotations

from typing import Annotated

from imagebake.kernel import console
from imagebake.kernel.console import print_json
from imagebake.kernel.context import open_context
from imagebake.kernel.errors import NotNow
from imagebake.kernel.flags import JSON
from imagebake.rollout import operation
from imagebake.spec.load import load_all


def gate(
    *,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Say whether the gate is open; closed or unknown, end with 75."""
    context = open_context(quiet=as_json)
    specs = load_all(context.workspace.specs, root=context.workspace.root)
    with operation.open_rollout(context) as at:
        found = at.gate(specs.values())
    console.put_output("gate", found.state.value)
    if as_json:
        print_json(found.to_json())
    elif found.open:
        print("the gate is open")
    if not found.open:
        raise NotNow(found.sentence, hint=found.hint)
