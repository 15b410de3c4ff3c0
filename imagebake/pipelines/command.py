"""`pipelines`: the workflows, written or only compared."""

from __future__ import annotations

from typing import Annotated

from imagebake.kernel import context
from imagebake.kernel.context import Site
from imagebake.kernel.flags import Flag
from imagebake.lock.selection import templates
from imagebake.pipelines.workflows import (
    Pipelines,
    check_pipelines,
    render_workflows,
    write_pipelines,
)
from imagebake.spec.load import load_all


def pipelines(
    *,
    check: Annotated[bool, Flag("only compare, and name the first line that differs")] = False,
) -> None:
    """Write the workflows that the specs and settings ask for; with *check*, only compare."""
    site = context.site(quiet=True)
    wanted = workflows(site)
    if check:
        check_pipelines(site.workspace.root, wanted)
        print(f"{len(wanted)} workflows are what the specs and settings ask for")
        return
    done = write_pipelines(site.workspace.root, wanted)
    print("\n".join(done) or "every workflow is as it should be")


def workflows(site: Site) -> dict[str, str]:
    """Every workflow of this repository, by its path."""
    specs = load_all(site.workspace.specs, root=site.workspace.root)
    settings = Pipelines(azure=site.settings.cloud == "azure", runner=site.settings.runner)
    return render_workflows(specs.values(), settings, templates(site))
