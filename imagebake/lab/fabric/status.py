"""Status reports of a machine: provisioning, guest agent and extension handlers."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from imagebake.lab.fabric.exchange import FabricRequest

READY = "Ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Substatus:
    """One part of an extension's report."""

    name: str
    status: str
    code: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerStatus:
    """One extension handler, as the agent reports it and as it reports itself.

    *status* is the agent's: Ready, NotReady, Installing, … *extension* is the handler's own:
    success, error, transitioning or warning; None until it has reported.
    """

    name: str
    version: str
    status: str
    code: int
    message: str
    extension: str | None = None
    extension_code: int = 0
    extension_message: str = ""
    substatus: tuple[Substatus, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether agent and handler both report success."""
        return self.status == READY and self.extension in (None, "success")

    @property
    def failed(self) -> bool:
        """Whether either gave up; a running installation has not."""
        return self.extension == "error" or (self.status == "NotReady" and self.code != 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """One report of the guest agent, and its time.

    *features* are the features that the agent supports. Azure sends goal states by FastTrack only
    to agents that list it; others take them only when they start.
    """

    time: dt.datetime
    version: str
    status: str
    message: str
    handlers: tuple[HandlerStatus, ...] = ()
    features: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the agent itself is Ready, whatever its handlers are."""
        return self.status == READY

    def handler(self, name: str) -> HandlerStatus | None:
        """Return the handler called *name*, without regard to case as on Azure."""
        same = (handler for handler in self.handlers if handler.name.lower() == name.lower())
        return next(same, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """One report of the role's health to the wire server, and the program that sent it."""

    time: dt.datetime
    sender: str
    state: str
    substatus: str = ""
    description: str = ""

    def __str__(self) -> str:
        reason = ": ".join(part for part in (self.substatus, self.description) if part)
        return f"{self.state}: {reason}" if reason and self.state != READY else self.state


CLOUD_INIT, AGENT = "cloud-init", "agent"


def read_health(call: FabricRequest, now: dt.datetime) -> HealthReport | None:
    """Return the health report in *call*; None if there is none.

    Both senders call themselves WALinuxAgent in the protocol's own header. They differ in their
    user agents, and in line breaks, which only cloud-init writes.
    """
    try:
        root = ET.fromstring(call.body.strip())  # noqa: S314 - from our own machine
    except ET.ParseError:
        return None
    return HealthReport(
        time=now,
        sender=_sender(call),
        state=root.findtext(".//State") or "",
        substatus=root.findtext(".//SubStatus") or "",
        description=(root.findtext(".//Description") or "").strip(),
    )


def _sender(call: FabricRequest) -> str:
    name = call.header("User-Agent").lower()
    if "cloud-init" in name:
        return CLOUD_INIT
    if name.startswith("walinuxagent"):
        return AGENT
    return CLOUD_INIT if b"\n" in call.body.strip() else AGENT


def read_upload(body: bytes, now: dt.datetime) -> AgentStatus | None:
    """Return the status that the agent asks HostGAPlugin to upload; None for an empty page."""
    try:
        content = json.loads(body).get("content")
        return read_status(base64.b64decode(content), now) if content else None
    except (ValueError, AttributeError, binascii.Error):
        return None


def read_status(document: bytes, now: dt.datetime) -> AgentStatus | None:
    """Return the status in a status blob; None if it is not one."""
    try:
        return _status(json.loads(document.rstrip(b"\0")), now)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _status(whole: Mapping[str, Any], now: dt.datetime) -> AgentStatus:
    aggregate = whole["aggregateStatus"]
    agent = aggregate["guestAgentStatus"]
    return AgentStatus(
        time=now,
        version=str(agent.get("version", "")),
        status=str(agent.get("status", "")),
        message=_message(agent),
        handlers=tuple(
            _handler(handler) for handler in aggregate.get("handlerAggregateStatus") or ()
        ),
        features=tuple(
            str(feature.get("Key", "")) for feature in whole.get("supportedFeatures") or ()
        ),
    )


def _handler(document: Mapping[str, Any]) -> HandlerStatus:
    settings_status = (
        (document.get("runtimeSettingsStatus") or {}).get("settingsStatus") or {}
    ).get("status")
    own: Mapping[str, Any] = settings_status or {}
    return HandlerStatus(
        name=str(document.get("handlerName", "")),
        version=str(document.get("handlerVersion", "")),
        status=str(document.get("status", "")),
        code=int(document.get("code") or 0),
        message=_message(document),
        extension=str(own["status"]) if "status" in own else None,
        extension_code=int(own.get("code") or 0),
        extension_message=_message(own),
        substatus=tuple(
            Substatus(
                name=str(part.get("name", "")),
                status=str(part.get("status", "")),
                code=int(part.get("code") or 0),
                message=_message(part),
            )
            for part in own.get("substatus") or ()
        ),
    )


def _message(document: Mapping[str, Any]) -> str:
    return str((document.get("formattedMessage") or {}).get("message") or "")
