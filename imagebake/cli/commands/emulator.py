"""The task `emulator`: serve the loopback Azure Resource Manager."""

from __future__ import annotations

import contextlib
import threading
from typing import Annotated

from imagebake.emulator.server import connection_guide
from imagebake.kernel.context import ensure_programs, open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import Flag
from imagebake.kernel.host import system_packages
from imagebake.lab.local_cloud import make_engine, open_local_backend
from imagebake.lock.artifact_sources import make_fetcher


def emulator(
    *,
    port: Annotated[int, Flag("the port to listen on (default: any that is free)")] = 0,
) -> None:
    """Serve until interrupted; its resources stay in the state directory."""
    context = open_context(quiet=False)
    if port not in range(1 << 16):
        raise UsageError(f"there is no port {port}", hint="it is a number up to 65535")
    ensure_programs(system_packages.BAKE, progress=context.progress)
    engine = make_engine(context.workspace, make_fetcher(context), network=False)
    with (
        contextlib.suppress(KeyboardInterrupt),
        open_local_backend(context.workspace, context.settings, engine, port=port) as end,
    ):
        print(connection_guide(end.emulator), flush=True)
        threading.Event().wait()
    print("stopped")
