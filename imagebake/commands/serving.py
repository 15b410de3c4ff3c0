"""`emulator`: the loopback Azure Resource Manager for whoever wants to speak to it."""

from __future__ import annotations

import signal

from imagebake import app, ends
from imagebake.host import system
from imagebake.local import local_end, make_engine


def emulator(*, port: int) -> None:
    """Serve until interrupted; what is created stays in the state directory."""
    site = app.site(quiet=False)
    app.provide(system.BAKE, progress=site.progress)
    engine = make_engine(site.workspace, ends.fetcher(site), network=False)
    with local_end(site.workspace, site.settings, engine, port=port) as end:
        url, ca = end.emulator.url, end.emulator.ca
        print(f"Azure Resource Manager at {url}, until Ctrl-C")
        print(f"  subscription     {site.settings.subscription}")
        print(f"  resource group   {site.settings.resource_group}")
        print(f"  certificate      {ca}")
        print("  credential       any bearer token; none of them works anywhere else")
        print(f"  Python           ComputeManagementClient(credential, subscription, base_url='{url}',")
        print(f"                     credential_scopes=['{url}/.default'], connection_verify='{ca}')")
        print(f"  others           REQUESTS_CA_BUNDLE={ca} (or NODE_EXTRA_CA_CERTS)", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    print("stopped")
