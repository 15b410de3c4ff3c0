"""HostGAPlugin: vmSettings, artifacts fetched by the host, and the agent's status."""

from __future__ import annotations

from collections.abc import Callable

from imagebake.lab.fabric import goal_state
from imagebake.lab.fabric.exchange import Answer, Call, json_answer, nothing
from imagebake.lab.fabric.goal_state import Wanted

_ARTIFACT = "x-ms-artifact-location"


def wanted_artifact(call: Call) -> str:
    """The URL that the host is to fetch for the agent; empty for any other request."""
    return call.header(_ARTIFACT) if call.path == "/extensionArtifact" else ""


def is_status(call: Call) -> bool:
    """Whether *call* is the agent's status, to be uploaded by the host."""
    return call.method == "PUT" and call.path == "/status"


def answer(call: Call, wanted: Wanted, fetch: Callable[[str], Answer]) -> Answer:
    """Answer *call*; *fetch* gives what the host gets for the URL of an artifact."""
    if call.method != "GET":
        known = call.path in ("/status", "/vmAgentLog", "/health")
        return nothing(200 if known else 404)
    match call.path:
        case "/versions":
            return json_answer(["2015-09-01"])
        case "/health":
            return nothing(200)
        case "/vmSettings":
            return _vm_settings(call, wanted)
        case "/extensionArtifact":
            url = wanted_artifact(call)
            return fetch(url) if url else nothing(400)
        case _:
            return nothing(404)


def _vm_settings(call: Call, wanted: Wanted) -> Answer:
    tag = (("ETag", wanted.tag),)
    if call.header("If-None-Match") == wanted.tag:
        return Answer(status=304, headers=tag)
    return json_answer(goal_state.vm_settings(wanted), headers=tag)
