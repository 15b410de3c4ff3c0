"""Which extensions the guest agent of an image lets run, and what tells it so."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from imagebake.kernel.spelling import spelled
from imagebake.kernel.versions import DebianVersion
from imagebake.model.values import Value

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
