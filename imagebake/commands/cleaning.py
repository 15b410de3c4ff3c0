"""`clean`: give back the room of what no image version needs."""

from __future__ import annotations

from imagebake.commands.cleaning_cloud import clean_cloud
from imagebake.kernel import context
from imagebake.kernel.console import size
from imagebake.kernel.errors import UsageError
from imagebake.lab.engine.clean import clean as clean_store
from imagebake.lab.local_cloud import local_end, make_engine
from imagebake.lock.artifact_sources import fetcher


def clean(budget: str, *, cloud: bool, plan: bool, as_json: bool) -> None:
    """Delete bases and layers, the longest unused first, until the rest fits *budget* GiB.

    With *cloud* it is leftovers in the cloud instead, and with *plan* they are only shown.
    """
    if cloud and budget:
        raise UsageError("--budget is for what is cached here, and --cloud for the cloud")
    if cloud:
        clean_cloud(plan=plan, as_json=as_json)
        return
    if plan or as_json:
        raise UsageError("--plan and --json go with --cloud")
    site = context.site(quiet=False)
    told = budget or site.settings.layer_budget_gb
    try:
        limit = int(float(told) * (1 << 30))
    except (ValueError, OverflowError):
        limit = -1
    if limit < 0:
        raise UsageError(f"{told!r} is not a size", hint="it is a number of GiB")
    engine = make_engine(site.workspace, fetcher(site))
    with local_end(site.workspace, site.settings, engine) as end:
        cleaned = clean_store(engine.folder, budget=limit, keep=end.emulator.records())
    freed, left = size(cleaned.freed), size(cleaned.left)
    print(f"removed {cleaned.removed} layers: {freed} freed, {left} left")
