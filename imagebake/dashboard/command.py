"""`dashboard`: what is known, on one page that needs nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from imagebake.dashboard.collect import overview
from imagebake.dashboard.page import page
from imagebake.kernel import context
from imagebake.kernel.console import print_json
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import Flag
from imagebake.kernel.host.files import write_atomically
from imagebake.lock.selection import chosen
from imagebake.rollout.operation import place

DEFAULT, PAGE = "site", "index.html"


def dashboard(
    *,
    out: Annotated[
        str, Flag("the directory for the page index.html (default: site, or none with --json)")
    ] = "",
    as_json: Annotated[bool, Flag("print what the page shows, for programs", name="json")] = False,
) -> None:
    """Write the page into the directory *out*; for programs, print what it shows."""
    folder = None if as_json and not out else Path(out or DEFAULT)
    if folder and folder.exists() and not folder.is_dir():
        hint = f"--out names a directory; the page in it is {PAGE}"
        raise UsageError(f"{folder} is a file", hint=hint)
    site = context.site(quiet=as_json)
    seen = overview(site, chosen(site, "", every=True), reach=place)
    if folder:
        write_atomically(folder / PAGE, page(seen).encode(errors="replace"))
        site.progress.note(f"wrote {folder / PAGE}")
    for gap in seen.gaps:
        site.progress.note(f"missing, {gap.part}: {gap.why}")
    if as_json:
        print_json(seen.to_json())
