"""Paths of agents and extensions in an image, and the agent's extension policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from imagebake.kernel.text.constrained import spelled
from imagebake.kernel.text.versions import DebianVersion
from imagebake.spec.model.base import Value

KEPT = "/opt/imagebake"
"""Directory that survives generalisation; a spec's own files cannot go there."""

AGENTS = f"{KEPT}/agent"
"""Directory of the zips of goal-state agents, and of their unpacked content."""

PACKAGES = f"{KEPT}/ext"
"""Directory of the zips of cached extensions."""

RESTAGE = f"{KEPT}/restage.sh"
"""Script that restores both after generalisation."""

AGENT_STATE = "/var/lib/waagent"
"""The agent's own directory, which generalisation empties."""

CACHE = f"{KEPT}/cache.py"
"""Program that serves cached extensions to the agent."""

CACHE_CONFIGURATION = f"{KEPT}/cache.json"
"""Its configuration: the packages, and the hosts that it answers for."""

CACHE_UNIT = "imagebake-cache.service"
"""Its systemd unit."""

CACHE_STATE = "/run/imagebake-cache"
"""Its runtime directory, created at each start."""

CACHE_ADDRESS = ("127.0.0.1", 3129)
"""Its loopback address and port."""

TRUST = f"{CACHE_STATE}/agent-bundle.pem"
"""Certificate bundle of the agent: the system's authorities, and the cache's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFile:
    """A file that an image must have, whichever part of the spec asks for it.

    *redirects* are the hosts that its server may redirect to.
    """

    name: str
    version: str
    url: str
    sha256: str
    destination: str
    mode: str
    redirects: tuple[str, ...] | None = None


def agent_folder(parent: str, version: str) -> str:
    """Return the directory of a goal-state agent below *parent*, as the agent names it."""
    return f"{parent}/WALinuxAgent-{version}"


def package_name(handler: str, version: str) -> str:
    """Return the file name of an extension's zip that the agent looks for."""
    return f"{handler}__{version}.zip"


GUEST_AGENT = "azure-linux-agent"
"""The agent's name in the catalogue."""

POLICY = "/etc/waagent_policy.json"
"""Path of the agent's policy."""

SWITCH = ("Debug.EnableExtensionPolicy", "y")
"""Setting that makes the agent read its policy."""

SINCE = "2.14.0.1"
"""First agent version that enforces a policy; 2.13 reads but does not enforce it."""

HandlerName = Annotated[
    str,
    spelled(
        r"[A-Za-z0-9]{1,100}(\.[A-Za-z0-9]{1,100}){1,10}",
        "an extension's full name, such as 'Microsoft.Azure.Extensions.CustomScript'",
    ),
]
"""The full name of an extension: publisher, dot, type."""


class ExtensionAllowList(Value):
    """Extensions that the guest agent allows to run; enforced from agent `2.14.0.1` on."""

    allow_list: bool = False
    """Whether the agent refuses all extensions but the spec's cached ones and `also`."""
    also: Annotated[tuple[HandlerName, ...], Field(max_length=100)] = ()
    """Extensions that it allows although the image does not contain them."""


def enforces_policy(agent: str) -> bool:
    """Return whether an agent of that version enforces an allow-list."""
    return DebianVersion(agent) >= DebianVersion(SINCE)


def policy(handlers: tuple[str, ...]) -> dict[str, Any]:
    """Return the agent's policy that allows *handlers* and nothing else."""
    return {
        "policyVersion": "0.1.0",
        "extensionPolicies": {
            "allowListedExtensionsOnly": True,
            "extensions": {name: {} for name in handlers},
        },
    }
