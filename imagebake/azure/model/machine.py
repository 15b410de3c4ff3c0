"""A virtual machine as its creator asks for it, and as its agent reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

READY = "Ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionWish:
    """An extension that a machine shall have; *version* is the `major.minor` of its handler."""

    name: str
    publisher: str
    type: str
    version: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def handler(self) -> str:
        """The handler's full name, as the agent reports it."""
        return f"{self.publisher}.{self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineWish:
    """A machine that shall be made from a gallery version.

    *subnet_id* is where its network interface, made and deleted with it, is put. Nobody can
    log in who does not have the other half of *public_key*.
    """

    name: str
    version_id: str
    size: str
    subnet_id: str
    public_key: str
    user: str = "imagebake"
    location: str = ""
    """The region; that of the gallery when empty."""
    script: str = ""
    """A shell script that the machine runs once it is up, as its root; by cloud-init."""
    console: bool = False
    """Whether what the machine prints on its serial console can be read."""
    identity: bool = False
    """Whether the machine has a managed identity of its own, which goes with it."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerView:
    """One extension handler, as the agent reported it last."""

    handler: str
    version: str
    ready: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """What the platform knows of a running machine."""

    power: str
    agent_version: str
    agent_ready: bool
    agent_message: str
    handlers: tuple[HandlerView, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the agent is Ready, and every handler that it reports."""
        return self.agent_ready and all(one.ready for one in self.handlers)
