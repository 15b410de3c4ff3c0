"""The task `acceptance`: Azure's own clients against the emulator."""

from __future__ import annotations

import sys
from typing import Annotated

from imagebake.kernel.context import open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import JSON, Word
from imagebake.kernel.host import process

CLIENTS = ("az", "js")


def acceptance(
    client: Annotated[str, Word("az or js (default: both)")] = "",
    *,
    as_json: Annotated[bool, JSON] = False,
) -> int:
    """Run the life of a gallery, a template and a scale set; exits with 1 when a step is wrong."""
    if client not in {"", *CLIENTS}:
        raise UsageError(f"there is no client {client!r}", hint="clients: " + ", ".join(CLIENTS))
    context = open_context(quiet=True)
    root = context.workspace.root
    if not (root / "tests" / "clients").is_dir():
        raise UsageError(
            "the acceptance suite is not here",
            hint="it is in a clone of imagebake, and not in what pip installs",
        )
    command = [sys.executable, "-m", "tests.clients.acceptance"]
    command += ["--state", str(context.workspace.state / "clients")]
    command += ["--json"] if as_json else []
    command += [client] if client else []
    return process.run_on_terminal(command, cwd=root)
