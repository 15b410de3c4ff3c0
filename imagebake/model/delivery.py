"""Where agents and extensions wait in an image, and where they must be at its first boot."""

from __future__ import annotations

from dataclasses import dataclass

KEPT = "/opt/imagebake"
"""What survives generalisation; nothing of a spec's own goes there."""

AGENTS = f"{KEPT}/agent"
"""The zips of goal-state agents, and what was unpacked from them."""

PACKAGES = f"{KEPT}/ext"
"""The zips of cached extensions."""

RESTAGE = f"{KEPT}/restage.sh"
"""What puts both back after generalisation."""

AGENT_STATE = "/var/lib/waagent"
"""The agent's own directory, which generalisation empties."""

CACHE = f"{KEPT}/cache.py"
"""The program that serves cached extensions to the agent."""

CACHE_CONFIGURATION = f"{KEPT}/cache.json"
"""What it serves, and to whom it pretends to be whom."""

CACHE_UNIT = "imagebake-cache.service"
"""The unit that runs it."""

CACHE_STATE = "/run/imagebake-cache"
"""What it makes for itself at each start."""

CACHE_ADDRESS = ("127.0.0.1", 3129)
"""Where it listens; nobody outside the machine can reach that."""

TRUST = f"{CACHE_STATE}/agent-bundle.pem"
"""The authorities that the agent trusts: the system's, and the cache's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFile:
    """A file that an image must have, wherever in the spec it is asked for.

    *redirects* are the hosts that its server may send us to.
    """

    name: str
    version: str
    url: str
    sha256: str
    destination: str
    mode: str
    redirects: tuple[str, ...] | None = None


def agent_folder(parent: str, version: str) -> str:
    """The directory of a goal-state agent below *parent*, as the agent names it."""
    return f"{parent}/WALinuxAgent-{version}"


def package_name(handler: str, version: str) -> str:
    """The file of an extension's zip, as the agent looks for it."""
    return f"{handler}__{version}.zip"
