"""What the fabric is told: the machine, what it shall run, and what is broken today."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WIRE_SERVER = ("168.63.129.16", 80)
"""Where the machine asks what it shall be; the same address on every Azure host."""
GATEWAY = ("168.63.129.16", 32526)
"""Where HostGAPlugin listens, the host's helper of the agent."""
METADATA = ("169.254.169.254", 80)
"""Where the instance metadata and the identity service are."""
STORE = ("203.0.113.10", 443)
"""Where every store of extensions is, whatever its name: an address for documentation."""

STORE_DOMAIN = "store.test"
STORE_HOSTS = (f"packages-1.{STORE_DOMAIN}", f"packages-2.{STORE_DOMAIN}")
"""The hosts that a goal state names for everything that is downloaded, as Azure's names two."""
STATUS_HOST = f"status.{STORE_DOMAIN}"
"""Where the agent puts its status when HostGAPlugin does not take it."""


class GoalStateSource(enum.StrEnum):
    """Which way a goal state reaches the agent."""

    EXTENSIONS_CONFIG = "extensionsconfig"
    FAST_TRACK = "fasttrack"


class StoreMode(enum.StrEnum):
    """What the extension store does to whoever asks it."""

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
    """What HostGAPlugin does with an artifact that it is asked to fetch.

    The host fetches from the same store, so *same* is what an outage of the store looks like
    from there: its refusals are passed on, and what never comes is a 502.
    """

    SAME = "same"
    HEALTHY = "healthy"
    BAD_GATEWAY = "502"


class IdentityFault(enum.StrEnum):
    """What the managed-identity service does instead of handing out a token."""

    NONE = "none"
    THROTTLED = "429"
    BROKEN = "500"
    SLOW = "slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricMachine:
    """One virtual machine, as its host knows it.

    *vm_id* must be what the machine's DMI says is its UUID. *mac* has colons. *custom_data*
    is what the user gave, not in base64; *user_data* is in base64, as the metadata tell it.
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

    *version* is what the goal state asks for. *advertised* is what the store's manifest
    lists; when empty, the version and a newer patch of it. *hosts* are the two that the goal
    state names for its manifest. *sequence* goes up when the settings change.
    *protected_settings* leave the fabric only encrypted.
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
        """The handler's full name, which the agent's directories carry."""
        return f"{self.publisher}.{self.type}"

    @property
    def published(self) -> tuple[str, ...]:
        """The versions that the store's manifest lists."""
        return self.advertised or (self.version, newer_patch(self.version))


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalState:
    """The extensions a machine shall have, and the way it hears of them."""

    extensions: tuple[FabricExtension, ...] = ()
    source: GoalStateSource = GoalStateSource.EXTENSIONS_CONFIG


def newer_patch(version: str) -> str:
    """A version that the agent would rather have than *version*, if it may.

    The agent takes the highest version of which the one asked for is a prefix, so a version
    of three numbers drifts to a fourth; a version of four has no longer one.
    """
    numbers = version.split(".")
    if len(numbers) < 4:  # noqa: PLR2004 - handler versions have at most four numbers
        return f"{version}.1"
    return ".".join((*numbers[:-1], str(int(numbers[-1]) + 1)))
