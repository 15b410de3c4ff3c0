"""Where agents and extensions wait in an image, and where they must be at its first boot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from imagebake.kernel.text.constrained import spelled
from imagebake.kernel.text.versions import DebianVersion
from imagebake.spec.model.base import Value

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


GUEST_AGENT = "azure-linux-agent"
"""The agent's name in the catalogue."""

POLICY = "/etc/waagent_policy.json"
"""Where the agent looks for its policy."""

SWITCH = ("Debug.EnableExtensionPolicy", "y")
"""The agent's setting that makes it look."""

SINCE = "2.14.0.1"
"""The first agent that asks its policy; 2.13 reads one and obeys none, older ones know of none."""

HandlerName = Annotated[
    str,
    spelled(
        r"[A-Za-z0-9]{1,100}(\.[A-Za-z0-9]{1,100}){1,10}",
        "an extension's full name, such as 'Microsoft.Azure.Extensions.CustomScript'",
    ),
]
"""The publisher and the type of an extension, with a dot between them."""


class Guard(Value):
    """Which extensions the guest agent lets run; `2.14.0.1` is the first that can refuse any."""

    allow_list: bool = False
    """Whether the agent refuses every extension but the cached ones of the spec, and `also`."""
    also: Annotated[tuple[HandlerName, ...], Field(max_length=100)] = ()
    """Extensions that it lets run although the image does not hold them."""


def obeys(agent: str) -> bool:
    """Whether an agent of that version refuses what is not in its allow-list."""
    return DebianVersion(agent) >= DebianVersion(SINCE)


def policy(handlers: tuple[str, ...]) -> dict[str, Any]:
    """The agent's policy that lets *handlers* run, and nothing else."""
    return {
        "policyVersion": "0.1.0",
        "extensionPolicies": {
            "allowListedExtensionsOnly": True,
            "extensions": {name: {} for name in handlers},
        },
    }
