"""Virtual machines as requested from Azure, and as their agents report them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

READY = "Ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRequest:
    """An extension to install; *version* is the `major.minor` of its handler."""

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
class MachineRequest:
    """A machine to create from a gallery version.

    Its network interface is created in *subnet_id*, and deleted with it. *public_key* is the
    only way to log in.
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
    """A shell script that cloud-init runs as root after the first boot."""
    console: bool = False
    """Whether boot diagnostics keep the serial console's log."""
    identity: bool = False
    """Whether the machine has a system-assigned managed identity."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerView:
    """The last report on an extension handler by the agent."""

    handler: str
    version: str
    ready: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """The instance view of a machine."""

    power: str
    agent_version: str
    agent_ready: bool
    agent_message: str
    handlers: tuple[HandlerView, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the agent and every handler that it reports are Ready."""
        return self.agent_ready and all(handler.ready for handler in self.handlers)
