"""How clients that we did not write connect to the emulator."""

from __future__ import annotations

from imagebake.emulator.management.login import TENANT
from imagebake.emulator.server import Emulator

_CLIENT = "11111111-1111-1111-1111-111111111111"
_SECRET = "loopback"  # noqa: S105 - the emulator takes every secret


def how_to_connect(emulator: Emulator) -> str:
    """What other clients need to know; there is no secret in it, for every secret is taken."""
    machines = "boot" if emulator.boots else "are inventory and run nothing; as root they boot"
    return f"""\
Azure Resource Manager  {emulator.url}
certificate authority   {emulator.ca}
subscription            {emulator.subscription}
tenant                  {TENANT}
client and secret       {_CLIENT} {_SECRET}
machines                {machines}

Any client that reads the environment:
  export REQUESTS_CA_BUNDLE={emulator.ca} SSL_CERT_FILE={emulator.ca}
  export AZURE_AUTHORITY_HOST={emulator.url} AZURE_TENANT_ID={TENANT}
  export AZURE_CLIENT_ID={_CLIENT} AZURE_CLIENT_SECRET={_SECRET}
  export AZURE_SUBSCRIPTION_ID={emulator.subscription}

The Azure command line, with a configuration of its own:
  export AZURE_CONFIG_DIR=$(mktemp -d) REQUESTS_CA_BUNDLE={emulator.ca}
  az cloud register --name imagebake --endpoint-resource-manager {emulator.url}
  az cloud set --name imagebake
  az login --service-principal --username {_CLIENT} --password {_SECRET} --tenant {TENANT}

Interrupt to stop."""
