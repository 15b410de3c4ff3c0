"""Management locks and their enforcement: Microsoft.Authorization/locks."""

from __future__ import annotations

import re

from imagebake.emulator.calls import Call, Reply, Route
from imagebake.emulator.errors import ArmError
from imagebake.emulator.resources import list_page
from imagebake.emulator.store import Resource, Session

KIND = "Microsoft.Authorization/locks"
_PROVIDER = "/providers/microsoft.authorization/locks"
_RULE = f"/<path:scope>{_PROVIDER}"
_SUBSCRIPTION = re.compile(r"/subscriptions/[^/]+")
# CanNotDelete refuses deletions only, ReadOnly every write.
_LEVELS = ("CanNotDelete", "ReadOnly")
# Locks can always be removed; and operations are polled below `locations`.
_EXEMPT = ("/providers/microsoft.authorization/locks/", "/providers/microsoft.compute/locations/")


def require_unlocked(session: Session, method: str, path: str) -> None:
    """Refuse a request that a lock at or above its scope forbids: 409 `ScopeLocked`.

    A deletion is also refused if a nested resource is locked.
    """
    key = path.lower()
    if method in ("GET", "HEAD") or not key.startswith("/subscriptions/"):
        return
    if any(word in key for word in _EXEMPT):
        return
    deletes = method == "DELETE"
    subscription = "/".join(key.split("/")[:3])
    for lock in session.list(KIND, f"{subscription}/"):
        scope = lock.key.partition(_PROVIDER)[0]
        covers = f"{key}/".startswith(f"{scope}/") or (deletes and scope.startswith(f"{key}/"))
        if covers and (deletes or lock.properties["level"] == "ReadOnly"):
            action = "delete" if deletes else "write"
            raise ArmError(
                409,
                "ScopeLocked",
                f"The scope '{path}' cannot perform {action} operation because following scope(s)"
                f" are locked: '{_scope(lock)}'. Please remove the lock and try again.",
            )


def put(call: Call) -> Reply:
    """Create or update a lock."""
    given = call.document().get("properties") or {}
    if given.get("level") not in _LEVELS:
        raise ArmError(
            400,
            "LockLevelNotSupported",
            f"The lock level '{given.get('level')}' is not one of {', '.join(_LEVELS)}.",
        )
    scope = f"/{call.names['scope']}"
    locked = call.session.find(scope)
    if not locked and not _SUBSCRIPTION.fullmatch(scope):
        raise ArmError(404, "ResourceNotFound", f"The scope '{scope}' to lock was not found.")
    known = call.session.find(_id(call))
    lock = Resource(
        KIND,
        {
            "id": f"{locked.id if locked else scope}/providers/{KIND}/{call.names['lock']}",
            "name": call.names["lock"],
            "type": KIND,
            "properties": {key: given[key] for key in ("level", "notes") if key in given},
        },
    )
    call.session.put(lock)
    return Reply(200 if known else 201, lock.body)


def get(call: Call) -> Reply:
    """GET a lock."""
    return Reply(200, _find(call).body)


def delete(call: Call) -> Reply:
    """Delete a lock."""
    if not call.session.find(_id(call)):
        return Reply(204)
    call.session.remove(_id(call))
    return Reply(200)


def list_locks(call: Call) -> Reply:
    """List the locks at a scope and below; `atScope()` restricts them to exactly the scope."""
    scope = f"/{call.names['scope']}"
    at = f"{scope}{_PROVIDER}/" if call.query.get("$filter") == "atScope()" else f"{scope}/"
    return list_page(call, KIND, at, lambda lock, _: lock.body)


def _find(call: Call) -> Resource:
    found = call.session.find(_id(call))
    if not found:
        raise ArmError(404, "LockNotFound", f"The lock '{call.names['lock']}' could not be found.")
    return found


def _id(call: Call) -> str:
    return f"/{call.names['scope']}/providers/{KIND}/{call.names['lock']}"


def _scope(lock: Resource) -> str:
    return lock.id[: lock.key.index(_PROVIDER)]


ROUTES = (
    Route("PUT", f"{_RULE}/<lock>", put),
    Route("GET", f"{_RULE}/<lock>", get),
    Route("DELETE", f"{_RULE}/<lock>", delete),
    Route("GET", _RULE, list_locks),
)
