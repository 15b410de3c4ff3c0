"""The guest agent's two servers: the wire server, and HostGAPlugin on the host.

The wire server hands out goal states and takes health reports. HostGAPlugin hands out vmSettings,
fetches artifacts for the agent, and takes its status.
"""

from __future__ import annotations

from collections.abc import Callable

from imagebake.lab.fabric import goal_state
from imagebake.lab.fabric.exchange import (
    FabricRequest,
    FabricResponse,
    empty_response,
    json_response,
    xml_response,
)
from imagebake.lab.fabric.goal_state import GoalStateRevision

_TRANSPORT = "x-ms-guest-agent-public-x509-cert"
_DOCUMENTS = {"goalstate": goal_state.goal_state}
_CONFIGS = {
    "hostingEnvironmentConfig": goal_state.hosting_environment,
    "sharedConfig": goal_state.shared_config,
    "extensionsConfig": goal_state.extensions_config,
}


def is_health(call: FabricRequest) -> bool:
    """Return whether *call* reports the health of the role."""
    return call.method == "POST" and call.query.get("comp") == "health"


def answer_wire_server(call: FabricRequest, wanted: GoalStateRevision) -> FabricResponse:
    """Answer *call* as the wire server does while *wanted* is the machine's goal state."""
    comp, kind = call.query.get("comp", ""), call.query.get("type", "")
    if call.method == "POST":
        return _posted(call, comp)
    if comp == "versions":
        return xml_response(goal_state.versions())
    if comp == "certificates":
        return _certificates(call, wanted)
    render = _CONFIGS.get(kind) if comp == "config" else _DOCUMENTS.get(comp)
    return (
        xml_response(render(wanted))
        if render and call.path.startswith("/machine")
        else empty_response(404)
    )


def _posted(call: FabricRequest, comp: str) -> FabricResponse:
    if comp == "roleProperties":
        return empty_response(202)
    if comp in ("health", "telemetrydata") or call.path == "/HealthService":
        return empty_response(200)
    return empty_response(404)


def _certificates(call: FabricRequest, wanted: GoalStateRevision) -> FabricResponse:
    try:
        return xml_response(goal_state.certificates(wanted, call.header(_TRANSPORT)))
    except ValueError:
        return empty_response(400)


_ARTIFACT = "x-ms-artifact-location"


def wanted_artifact(call: FabricRequest) -> str:
    """Return the URL that the host is to fetch for the agent; empty for other requests."""
    return call.header(_ARTIFACT) if call.path == "/extensionArtifact" else ""


def is_status(call: FabricRequest) -> bool:
    """Return whether *call* asks the host to upload the agent's status."""
    return call.method == "PUT" and call.path == "/status"


def answer_host_ga_plugin(
    call: FabricRequest, wanted: GoalStateRevision, fetch: Callable[[str], FabricResponse]
) -> FabricResponse:
    """Answer *call* as HostGAPlugin does; *fetch* downloads an artifact for the host."""
    if call.method != "GET":
        known = call.path in ("/status", "/vmAgentLog", "/health")
        return empty_response(200 if known else 404)
    match call.path:
        case "/versions":
            return json_response(["2015-09-01"])
        case "/health":
            return empty_response(200)
        case "/vmSettings":
            return _vm_settings(call, wanted)
        case "/extensionArtifact":
            url = wanted_artifact(call)
            return fetch(url) if url else empty_response(400)
        case _:
            return empty_response(404)


def _vm_settings(call: FabricRequest, wanted: GoalStateRevision) -> FabricResponse:
    tag = (("ETag", wanted.tag),)
    # The agent polls with the ETag of the vmSettings it has: 304 means nothing new.
    if call.header("If-None-Match") == wanted.tag:
        return FabricResponse(status=304, headers=tag)
    return json_response(goal_state.vm_settings(wanted), headers=tag)
