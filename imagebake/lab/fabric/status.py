"""What a machine says of itself: its provisioning, its agent and its extension handlers."""

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
    """One part of what an extension reports."""

    name: str
    status: str
    code: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerStatus:
    """One extension handler: what the agent says of it, and what it says itself.

    *status* is the agent's: Ready, NotReady, Installing, … *extension* is the handler's own:
    success, error, transitioning or warning; None until it has spoken.
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
        """Whether the agent is content, and the handler too."""
        return self.status == READY and self.extension in (None, "success")

    @property
    def failed(self) -> bool:
        """Whether either gave up; an installation that goes on has not."""
        return self.extension == "error" or (self.status == "NotReady" and self.code != 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """One report of the guest agent, and when it came.

    *features* are what the agent says it supports. Azure sends goal states by FastTrack to
    those alone that name it; an agent that does not takes them only when it starts.
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
        """The handler of this name, without regard to case as on Azure."""
        same = (one for one in self.handlers if one.name.lower() == name.lower())
        return next(same, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """One report of the role's health to the wire server, and which program sent it."""

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
    """The health report in *call*; None when there is none to be read.

    Both senders call themselves WALinuxAgent in the protocol's own header: they are told
    apart by their user agents, and by the line breaks that only cloud-init writes.
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
    """The status in what the agent asks HostGAPlugin to upload; None for an empty page."""
    try:
        content = json.loads(body).get("content")
        return read_status(base64.b64decode(content), now) if content else None
    except (ValueError, AttributeError, binascii.Error):
        return None


def read_status(document: bytes, now: dt.datetime) -> AgentStatus | None:
    """The status in a status blob; None when it is not one."""
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
        handlers=tuple(_handler(one) for one in aggregate.get("handlerAggregateStatus") or ()),
        features=tuple(str(one.get("Key", "")) for one in whole.get("supportedFeatures") or ()),
    )


def _handler(document: Mapping[str, Any]) -> HandlerStatus:
    said = ((document.get("runtimeSettingsStatus") or {}).get("settingsStatus") or {}).get("status")
    own: Mapping[str, Any] = said or {}
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
                name=str(one.get("name", "")),
                status=str(one.get("status", "")),
                code=int(one.get("code") or 0),
                message=_message(one),
            )
            for one in own.get("substatus") or ()
        ),
    )


def _message(document: Mapping[str, Any]) -> str:
    return str((document.get("formattedMessage") or {}).get("message") or "")
