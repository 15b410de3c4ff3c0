"""Serve the emulator to other clients until somebody has had enough."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from imagebake.emulator.builder import Builder
from imagebake.emulator.login import TENANT
from imagebake.emulator.server import Emulator

_CLIENT = "11111111-1111-1111-1111-111111111111"
_SECRET = "loopback"  # noqa: S105 - the emulator takes every secret


def serve_forever(
    folder: Path,
    builder: Builder,
    port: int,
    announce: Callable[[str], None],
    *,
    stop: threading.Event | None = None,
) -> None:
    """Serve *folder* on *port* (0: any) until an interrupt, or until *stop* is set.

    *announce* gets the text for the person who connects, once the server answers.
    """
    with Emulator(folder, builder=builder, port=port) as emulator:
        announce(how_to_connect(emulator))
        with contextlib.suppress(KeyboardInterrupt):
            (stop or threading.Event()).wait()


def how_to_connect(emulator: Emulator) -> str:
    """What other clients need to know; there is no secret in it, for every secret is taken."""
    return f"""\
Azure Resource Manager  {emulator.url}
certificate authority   {emulator.ca}
subscription            {emulator.subscription}
tenant                  {TENANT}
client and secret       {_CLIENT} {_SECRET}

Any client that reads the environment:
  export REQUESTS_CA_BUNDLE={emulator.ca} SSL_CERT_FILE={emulator.ca}
  export AZURE_AUTHORITY_HOST={emulator.url} AZURE_TENANT_ID={TENANT}
  export AZURE_CLIENT_ID={_CLIENT} AZURE_CLIENT_SECRET={_SECRET}
  export AZURE_SUBSCRIPTION_ID={emulator.subscription}

The Azure command line, with a configuration of its own:
  export AZURE_CONFIG_DIR=$(mktemp -d) REQUESTS_CA_BUNDLE={emulator.ca}
  az cloud register --name imagebake --endpoint-resource-manager {emulator.url}
  az cloud set --name imagebake
  az login --service-principal --username {_CLIENT} --password {_SECRET} --tenant adfs

Interrupt to stop."""
