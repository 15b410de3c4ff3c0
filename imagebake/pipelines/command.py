"""The task `pipelines`."""

from __future__ import annotations

from typing import Annotated

from imagebake.kernel.context import open_context
from imagebake.kernel.flags import Flag
from imagebake.pipelines.workflows import (
    check_workflows,
    workspace_workflows,
    write_workflows,
)


def pipelines(
    *,
    check: Annotated[bool, Flag("only compare, and name the first line that differs")] = False,
) -> None:
    """Write the workflows that the specs and settings ask for; with *check*, only compare."""
    context = open_context(quiet=True)
    wanted = workspace_workflows(context)
    if check:
        check_workflows(context.workspace.root, wanted)
        print(f"{len(wanted)} workflows are what the specs and settings ask for")
        return
    done = write_workflows(context.workspace.root, wanted)
    print("\n".join(done) or "every workflow is as it should be")
