"""The wire server: goal states out, health and provisioning in."""

from __future__ import annotations

from collections.abc import Callable

from imagebake.lab.fabric import goal_state
from imagebake.lab.fabric.exchange import Answer, Call, json_answer, nothing, xml
from imagebake.lab.fabric.goal_state import Wanted

_TRANSPORT = "x-ms-guest-agent-public-x509-cert"
_DOCUMENTS = {"goalstate": goal_state.goal_state}
_CONFIGS = {
    "hostingEnvironmentConfig": goal_state.hosting_environment,
    "sharedConfig": goal_state.shared_config,
    "extensionsConfig": goal_state.extensions_config,
}


def is_health(call: Call) -> bool:
    """Whether *call* reports the health of the role."""
    return call.method == "POST" and call.query.get("comp") == "health"


def answer_wire_server(call: Call, wanted: Wanted) -> Answer:
    """Answer *call* as the wire server does while the machine's goal state is *wanted*."""
    comp, kind = call.query.get("comp", ""), call.query.get("type", "")
    if call.method == "POST":
        return _posted(call, comp)
    if comp == "versions":
        return xml(goal_state.versions())
    if comp == "certificates":
        return _certificates(call, wanted)
    render = _CONFIGS.get(kind) if comp == "config" else _DOCUMENTS.get(comp)
    return xml(render(wanted)) if render and call.path.startswith("/machine") else nothing(404)


def _posted(call: Call, comp: str) -> Answer:
    if comp == "roleProperties":
        return nothing(202)
    if comp in ("health", "telemetrydata") or call.path == "/HealthService":
        return nothing(200)
    return nothing(404)


def _certificates(call: Call, wanted: Wanted) -> Answer:
    try:
        return xml(goal_state.certificates(wanted, call.header(_TRANSPORT)))
    except ValueError:
        return nothing(400)


_ARTIFACT = "x-ms-artifact-location"


def wanted_artifact(call: Call) -> str:
    """The URL that the host is to fetch for the agent; empty for any other request."""
    return call.header(_ARTIFACT) if call.path == "/extensionArtifact" else ""


def is_status(call: Call) -> bool:
    """Whether *call* is the agent's status, to be uploaded by the host."""
    return call.method == "PUT" and call.path == "/status"


def answer_host_ga_plugin(call: Call, wanted: Wanted, fetch: Callable[[str], Answer]) -> Answer:
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
