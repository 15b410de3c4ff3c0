"""The task `dashboard`: write a page that needs no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from imagebake.dashboard.collect import overview
from imagebake.dashboard.page import dashboard_page
from imagebake.kernel.console import print_json
from imagebake.kernel.context import open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import Flag
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import select_specs
from imagebake.rollout.operation import open_rollout

DEFAULT, PAGE = "site", "index.html"


def dashboard(
    *,
    out: Annotated[
        str, Flag("the directory for the page index.html (default: site, or none with --json)")
    ] = "",
    as_json: Annotated[bool, Flag("print what the page shows, for programs", name="json")] = False,
) -> None:
    """Write the page into the directory *out*; with *as_json* print its data."""
    folder = None if as_json and not out else Path(out or DEFAULT)
    if folder and folder.exists() and not folder.is_dir():
        hint = f"--out names a directory; the page in it is {PAGE}"
        raise UsageError(f"{folder} is a file", hint=hint)
    context = open_context(quiet=as_json)
    seen = overview(context, select_specs(context, "", every=True), reach=open_rollout)
    if folder:
        write_atomically(folder / PAGE, dashboard_page(seen).encode(errors="replace"))
        context.progress.note(f"wrote {folder / PAGE}")
    for gap in seen.gaps:
        context.progress.note(f"missing, {gap.part}: {gap.why}")
    if as_json:
        print_json(seen.to_json())
