"""The wire server: goal states out, health and provisioning in."""

from __future__ import annotations

from imagebake.lab.fabric import goal_state
from imagebake.lab.fabric.exchange import Answer, Call, nothing, xml
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


def answer(call: Call, wanted: Wanted) -> Answer:
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
