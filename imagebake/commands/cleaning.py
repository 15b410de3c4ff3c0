"""`clean`: give back the room of what no image version needs."""

from __future__ import annotations

from imagebake import app
from imagebake.commands.output import size
from imagebake.engine.clean import clean as clean_store
from imagebake.errors import UsageError
from imagebake.local import local_end, make_engine
from imagebake.supply import fetcher


def clean(budget: str) -> None:
    """Delete bases and layers, the longest unused first, until the rest fits *budget* GiB."""
    site = app.site(quiet=False)
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
