"""`emulator`: the loopback Azure Resource Manager for whoever wants to speak to it."""

from __future__ import annotations

import signal

from imagebake import app
from imagebake.host import system
from imagebake.local import local_end, make_engine
from imagebake.supply import fetcher


def emulator(*, port: int) -> None:
    """Serve until interrupted; what is created stays in the state directory."""
    site = app.site(quiet=False)
    app.provide(system.BAKE, progress=site.progress)
    engine = make_engine(site.workspace, fetcher(site), network=False)
    with local_end(site.workspace, site.settings, engine, port=port) as end:
        url, ca = end.emulator.url, end.emulator.ca
        lines = (
            f"Azure Resource Manager at {url}, until Ctrl-C",
            f"  subscription     {site.settings.subscription}",
            f"  resource group   {site.settings.resource_group}",
            f"  certificate      {ca}",
            "  credential       any bearer token; none of them works anywhere else",
            f"  Python           ComputeManagementClient(…, base_url='{url}',",
            f"                     credential_scopes=['{url}/.default'],",
            f"                     connection_verify='{ca}')",
            f"  others           REQUESTS_CA_BUNDLE={ca} (or NODE_EXTRA_CA_CERTS)",
        )
        print("\n".join(lines), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    print("stopped")
