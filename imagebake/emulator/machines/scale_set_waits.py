"""Operations on scale sets that end with what becomes of their instances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from imagebake.emulator import operations
from imagebake.emulator.machines import rolling_upgrades
from imagebake.emulator.machines.host import EXTENSION
from imagebake.emulator.machines.supervisor import INSTANCE, UNSETTLED
from imagebake.emulator.store import Resource, Session

_KIND = "imagebake/waits"


def conclude(
    session: Session,
    scale_set: Resource,
    operation: str,
    instances: Iterable[Resource],
    *,
    time: float,
) -> None:
    """End *operation*, begun and open, when the last of *instances* is settled."""
    made = list(instances)
    ends = max([time, *(one.settles for one in made)])
    if ends < UNSETTLED:
        _finish(session, operation, made, ends)
        return
    wait = {"id": f"{scale_set.id}/waits/{operation}", "name": operation}
    session.put(Resource(_KIND, wait, {"instances": [one.id for one in made]}))


def on_settled(session: Session, key: str, time: float) -> None:
    """Something about a machine is decided: see whether an instance is, and what waits for it."""
    instance = session.find(key)
    if not instance or instance.kind != INSTANCE.lower() or "undecided" not in instance.private:
        return
    extensions = session.list(EXTENSION, f"{instance.key}/extensions/")
    parts = [instance, *extensions]
    failed = [one for one in parts if one.private.get("error")]
    if not failed and any(one.private.get("operation") for one in parts):
        instance.settles = UNSETTLED
        session.put(instance)
        return
    del instance.private["undecided"]
    instance.settles = time
    if failed:
        instance.state = "Failed"
        instance.private["error"] = failed[0].private["error"]
    session.put(instance)
    scale_set_key = key.rpartition("/virtualmachines/")[0]
    rolling_upgrades.wake(session, scale_set_key, time)
    for wait in session.list(_KIND, f"{scale_set_key}/waits/"):
        _look(session, wait, scale_set_key, time)


def _look(session: Session, wait: Resource, scale_set_key: str, time: float) -> None:
    found = (session.find(one) for one in wait.private["instances"])
    instances = [one for one in found if one]
    if any(one.settles > time for one in instances):
        return
    failed = _finish(session, wait.name, instances, time)
    session.remove(wait.id)
    scale_set = session.find(scale_set_key)
    if scale_set and scale_set.private.get("operation") == wait.name:
        scale_set.settles, scale_set.state = time, "Failed" if failed else "Succeeded"
        session.put(scale_set)


def _finish(session: Session, operation: str, instances: list[Resource], ends: float) -> bool:
    failed = next((one for one in instances if one.state == "Failed"), None)
    error = _error(failed) if failed else None
    status = "Failed" if failed else "Succeeded"
    operations.finish(session, operation, ended=ends, status=status, error=error)
    return failed is not None


def _error(instance: Resource) -> Mapping[str, Any]:
    known: Mapping[str, Any] | None = instance.private.get("error")
    return known or {
        "code": "VMStartTimedOut",
        "message": f"VM '{instance.name}' did not start in the allotted time. The VM may still"
        " start successfully. Please check the power state later.",
    }
