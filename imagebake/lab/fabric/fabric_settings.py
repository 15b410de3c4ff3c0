"""Settings of the fabric: addresses, the machine, its goal state, and injected faults."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WIRE_SERVER = ("168.63.129.16", 80)
"""The wire server, at the same address on every Azure host."""
GATEWAY = ("168.63.129.16", 32526)
"""HostGAPlugin, the host's helper of the guest agent."""
METADATA = ("169.254.169.254", 80)
"""The instance metadata service and the identity service."""
STORE = ("203.0.113.10", 443)
"""The extension store under all its names: an address reserved for documentation (RFC 5737)."""

STORE_DOMAIN = "store.test"
STORE_HOSTS = (f"packages-1.{STORE_DOMAIN}", f"packages-2.{STORE_DOMAIN}")
"""The hosts that a goal state names for downloads; Azure's, too, name two."""
STATUS_HOST = f"status.{STORE_DOMAIN}"
"""The host that takes the agent's status if HostGAPlugin does not."""


class GoalStateSource(enum.StrEnum):
    """The channel by which a goal state reaches the agent."""

    EXTENSIONS_CONFIG = "extensionsconfig"
    FAST_TRACK = "fasttrack"


class StoreMode(enum.StrEnum):
    """How the extension store answers."""

    UP = "up"
    FORBIDDEN = "403"
    NOT_FOUND = "404"
    PUBLIC_ACCESS_DENIED = "409"
    RESET = "reset"
    BLACK_HOLE = "black-hole"
    SLOW = "slow"
    TRUNCATED = "truncated"
    WRONG_BYTES = "wrong-bytes"


class GatewayMode(enum.StrEnum):
    """How HostGAPlugin answers a request to fetch an artifact.

    The host fetches from the same store. With *same* it passes on the store's refusals, and answers
    502 if the store does not respond, as in an outage of the store.
    """

    SAME = "same"
    HEALTHY = "healthy"
    BAD_GATEWAY = "502"


class IdentityFault(enum.StrEnum):
    """How the managed-identity service answers."""

    NONE = "none"
    THROTTLED = "429"
    BROKEN = "500"
    SLOW = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricMachine:
    """One virtual machine, as its host knows it.

    *vm_id* must equal the UUID in the machine's DMI. *mac* has colons. *custom_data* is plain;
    *user_data* is base64, as the metadata service returns it.
    """

    vm_id: str
    name: str = "machine"
    user: str = "azureuser"
    public_key: str = ""
    location: str = "westeurope"
    custom_data: bytes | None = None
    user_data: str = ""
    mac: str = "00:0d:3a:aa:bb:01"
    address: str = "10.1.0.4"
    subnet: str = "10.1.0.0"
    prefix: int = 24
    size: str = "Standard_D2s_v5"
    subscription: str = "00000000-0000-0000-0000-000000000000"
    resource_group: str = "imagebake"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricExtension:
    """An extension in a machine's model.

    *version* is the one in the goal state. *advertised* are the versions in the store's manifest;
    if empty, the version and a newer patch of it. *hosts* are the two that the goal state names for
    its manifest. *sequence* grows when the settings change. *protected_settings* leave the fabric
    only encrypted.
    """

    publisher: str
    type: str
    version: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    protected_settings: Mapping[str, Any] | None = field(default=None, repr=False)
    advertised: tuple[str, ...] = ()
    hosts: tuple[str, str] = STORE_HOSTS
    sequence: int = 0
    auto_upgrade: bool = False

    @property
    def name(self) -> str:
        """The handler's full name, as in the agent's directories."""
        return f"{self.publisher}.{self.type}"

    @property
    def published(self) -> tuple[str, ...]:
        """The versions that the store's manifest lists."""
        return self.advertised or (self.version, newer_patch(self.version))


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalState:
    """The extensions a machine shall have, and the channel that announces them."""

    extensions: tuple[FabricExtension, ...] = ()
    source: GoalStateSource = GoalStateSource.EXTENSIONS_CONFIG


def newer_patch(version: str) -> str:
    """Return a version that the agent would prefer to *version* if it may.

    The agent takes the highest version of which the requested one is a prefix: three numbers drift
    to a fourth, while nothing longer exists for four.
    """
    numbers = version.split(".")
    if len(numbers) < 4:  # noqa: PLR2004 - handler versions have at most four numbers
        return f"{version}.1"
    return ".".join((*numbers[:-1], str(int(numbers[-1]) + 1)))
