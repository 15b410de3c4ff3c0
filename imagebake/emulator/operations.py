"""Long-running operations: `Azure-AsyncOperation` and `Location`, valid in every process."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

from imagebake.emulator.calls import Call, Reply, Route, stamp_of
from imagebake.emulator.errors import ArmError
from imagebake.emulator.resources import present
from imagebake.emulator.store import Resource, Session

IMAGE_BUILDER = "Microsoft.VirtualMachineImages"
COMPUTE = "Microsoft.Compute"

# Recorded: Compute's operations are `capsOperations`.
_OPERATION_PATHS = {IMAGE_BUILDER: "operations", COMPUTE: "capsOperations"}
_FIRST_POLL_MS, _LAST_POLL_MS = 20, 500


def begin(
    session: Session,
    resource_id: str,
    *,
    started: float,
    ended: float | None,
    error: Mapping[str, str] | None = None,
) -> str:
    """Begin an operation on a resource and return its id.

    It is in progress until *ended*, which may lie in the future, or until `finish` is called if
    *ended* is None. Then it has succeeded, or failed with *error*.
    """
    operation = str(uuid.uuid4())
    session.sql.execute(
        "INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?)",
        (
            operation,
            resource_id.lower(),
            started,
            ended,
            "Failed" if error else "Succeeded",
            json.dumps(error) if error else None,
        ),
    )
    return operation


def finish(
    session: Session,
    operation: str,
    *,
    ended: float,
    status: str,
    error: Mapping[str, str] | None = None,
) -> None:
    """End an operation that `begin` left open."""
    session.sql.execute(
        "UPDATE operations SET ended = ?, status = ?, error = ? WHERE id = ?",
        (ended, status, json.dumps(error) if error else None, operation),
    )


def headers(call: Call, provider: str, location: str, operation: str) -> dict[str, str]:
    """Return `Azure-AsyncOperation`, and when to poll first."""
    # Recorded: a PUT of an image template carries Azure-AsyncOperation and no Location.
    where = {"Azure-AsyncOperation": _url(call, provider, location, operation)}
    return where | _soon(call, 0.0)


def with_location(call: Call, provider: str, location: str, operation: str) -> dict[str, str]:
    """Return `headers` and `Location`.

    Azure Image Builder sends the same URL twice. Compute's `Location` replies 202 until the
    operation has ended, and then 200, or 204 if its resource no longer exists.
    """
    # Recorded for 200; that 204 means a deleted resource is assumed.
    monitor = "&monitor=true" if provider == COMPUTE else ""
    return headers(call, provider, location, operation) | {
        "Location": _url(call, provider, location, operation) + monitor
    }


def _url(call: Call, provider: str, location: str, operation: str) -> str:
    return (
        f"{call.base}/subscriptions/{call.names['subscription']}/providers/{provider}/locations"
        f"/{location}/{_OPERATION_PATHS[provider]}/{operation}?api-version={call.api_version}"
    )


def poll(call: Call) -> Reply:
    """GET the status of an operation."""
    row = call.session.sql.execute(
        "SELECT resource, started, ended, status, error FROM operations WHERE id = ?",
        (call.names["operation"].lower(),),
    ).fetchone()
    if row is None:
        raise ArmError(
            404, "NotFound", f"The entity was not found: operation {call.names['operation']}."
        )
    resource, started, ended, status, error = row
    running = ended is None or call.time < ended
    soon = _soon(call, call.time - started) if running else {}
    # The URL of Compute's `Location`: it has no body, only a status.
    if call.query.get("monitor") == "true":
        over = 200 if call.session.find(resource) else 204
        return Reply(202 if running else over, None, soon)
    body = {
        "name": call.names["operation"],
        "status": "InProgress" if running else status,
        "startTime": stamp_of(started),
    }
    if not running:
        body["endTime"] = stamp_of(ended)
        if error:
            body["error"] = json.loads(error)
    return Reply(200, body, soon)


def _soon(call: Call, age: float) -> dict[str, str]:
    """Return `retry-after-ms`: a twentieth of the operation's age, within limits."""
    # Recorded: Azure sends no hint, so that clients fall back to polling every 30 seconds.
    if call.pace.silent:
        return {}
    return {"retry-after-ms": str(round(min(max(age * 50, _FIRST_POLL_MS), _LAST_POLL_MS)))}


def accept_write(
    call: Call, resource: Resource, known: Resource | None, *, seconds: float | None = None
) -> Reply:
    """Store a Compute resource, and reply to its PUT or PATCH."""
    duration = call.pace.operation if seconds is None else seconds
    # Without delays the resource settles at once, but the reply still shows the transition.
    resource.settling = "Updating" if known else "Creating"
    resource.settles = call.time + duration
    call.session.put(resource)
    operation = begin(call.session, resource.id, started=call.time, ended=resource.settles)
    place = str(resource.body["location"])
    body = present(resource, call)
    body["properties"]["provisioningState"] = resource.settling
    return Reply(
        200 if known else 201,
        body,
        headers(call, COMPUTE, place, operation),
    )


def accept_delete(call: Call, resource: Resource | None) -> Reply:
    """Delete a Compute resource and reply 202, or 204 if it does not exist."""
    if not resource:
        return Reply(204)
    resource.settling, resource.settles = "Deleting", call.time + call.pace.operation
    call.session.put(resource)
    call.session.remove_settled(call.time)
    operation = begin(call.session, resource.id, started=call.time, ended=resource.settles)
    place = str(resource.body["location"])
    return Reply(
        202,
        None,
        with_location(call, COMPUTE, place, operation),
    )


ROUTES = tuple(
    Route(
        "GET",
        f"/subscriptions/<subscription>/providers/{provider.lower()}/locations/<location>"
        f"/{path.lower()}/<operation>",
        poll,
    )
    for provider, path in _OPERATION_PATHS.items()
)
