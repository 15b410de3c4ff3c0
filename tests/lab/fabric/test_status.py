from __future__ import annotations

import base64
import json
from email.message import Message

import pytest

from imagebake.lab.fabric.exchange import FabricRequest, Peer
from imagebake.lab.fabric.status import AGENT, CLOUD_INIT, read_health, read_status, read_upload
from tests.lab.fabric.conftest import NOW

STATUS = {
    "version": "1.1",
    "aggregateStatus": {
        "guestAgentStatus": {
            "version": "2.12.0.2",
            "status": "Ready",
            "formattedMessage": {"lang": "en-US", "message": "Guest Agent is running"},
        },
        "handlerAggregateStatus": [
            {
                "handlerName": "Contoso.Demo.Hello",
                "handlerVersion": "1.2.3.0",
                "status": "Ready",
                "code": 0,
                "formattedMessage": {"lang": "en-US", "message": "Plugin enabled"},
                "runtimeSettingsStatus": {
                    "sequenceNumber": 0,
                    "settingsStatus": {
                        "status": {
                            "status": "error",
                            "code": 3,
                            "formattedMessage": {"message": "cannot fetch"},
                            "substatus": [
                                {"name": "part", "status": "success", "code": 0,
                                 "formattedMessage": {"message": "fine"}},
                            ],
                        }
                    },
                },
            },
            {
                "handlerName": "Contoso.Demo.Gone",
                "handlerVersion": "1.0.0",
                "status": "NotReady",
                "code": 1009,
                "formattedMessage": {"message": "Failed to get ext handler pkgs"},
            },
            {"handlerName": "Contoso.Demo.Slow", "handlerVersion": "1", "status": "Installing"},
        ],
    },
}  # fmt: skip


def a_call(body: bytes, agent: str = "") -> FabricRequest:
    headers = Message()
    headers["User-Agent"] = agent
    return FabricRequest(
        method="POST", target="/machine?comp=health", headers=headers, body=body,
        peer=Peer("10.1.0.4", 40000), host="168.63.129.16",
    )  # fmt: skip


def test_a_status_tells_the_agents_word_from_the_handlers_own() -> None:
    status = read_status(json.dumps(STATUS).encode(), NOW)

    assert status is not None
    assert status.ready
    assert status.version == "2.12.0.2"
    hello = status.handler("contoso.demo.HELLO")
    assert hello is not None
    assert (hello.status, hello.extension, hello.extension_code) == ("Ready", "error", 3)
    assert hello.failed
    assert not hello.succeeded
    assert hello.substatus[0].message == "fine"


def test_a_handler_that_still_installs_has_neither_failed_nor_succeeded() -> None:
    status = read_status(json.dumps(STATUS).encode(), NOW)

    assert status is not None
    gone, slow = status.handlers[1:]
    assert gone.failed
    assert not slow.failed
    assert not slow.succeeded


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"content": "!"}', b"\xff"])
def test_what_is_no_status_is_none(body: bytes) -> None:
    assert read_upload(body, NOW) is None
    assert read_status(body, NOW) is None
    assert read_status(json.dumps({"aggregateStatus": ["odd"]}).encode(), NOW) is None


def test_a_status_may_come_in_an_upload() -> None:
    content = base64.b64encode(json.dumps(STATUS).encode()).decode()

    status = read_upload(json.dumps({"content": content}).encode(), NOW)

    assert status == read_status(json.dumps(STATUS).encode(), NOW)


REPORT = (
    b"<Health><State>NotReady</State>"
    b"<Details><SubStatus>Provisioning</SubStatus></Details></Health>"
)


@pytest.mark.parametrize(
    ("body", "agent", "sender"),
    [
        (REPORT, "", AGENT),
        (REPORT.replace(b"><", b">\n<"), "", CLOUD_INIT),
        (REPORT, "Cloud-Init/25.1.4", CLOUD_INIT),
        (REPORT.replace(b"><", b">\n<"), "WALinuxAgent/2.12.0.2", AGENT),
    ],
)
def test_the_sender_of_a_health_report_is_told_apart(body: bytes, agent: str, sender: str) -> None:
    health = read_health(a_call(body, agent), NOW)

    assert health is not None
    assert health.sender == sender
    assert str(health) == "NotReady: Provisioning"
