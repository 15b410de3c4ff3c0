"""Operations on scale sets that end when all of their instances have settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from imagebake.emulator import operations
from imagebake.emulator.machines import rolling_upgrades
from imagebake.emulator.machines.host import EXTENSION
from imagebake.emulator.machines.scale_set_models import INSTANCE
from imagebake.emulator.machines.supervisor import UNSETTLED
from imagebake.emulator.store import Resource, Session

_KIND = "imagebake/waits"


def end_when_settled(
    session: Session,
    scale_set: Resource,
    operation: str,
    instances: Iterable[Resource],
    *,
    time: float,
) -> None:
    """End *operation*, which is open, when the last of *instances* settles.

    If a settling time is unknown, because the instance boots, the operation is stored as waiting,
    and `on_settled` ends it.
    """
    awaited = list(instances)
    ends = max([time, *(instance.settles for instance in awaited)])
    if ends < UNSETTLED:
        _finish(session, operation, awaited, ends)
        return
    wait = {"id": f"{scale_set.id}/waits/{operation}", "name": operation}
    session.put(Resource(_KIND, wait, {"instances": [instance.id for instance in awaited]}))


def on_settled(session: Session, key: str, time: float) -> None:
    """Settle the instance *key* once its extensions have, and end the operations waiting for it."""
    instance = session.find(key)
    if not instance or instance.kind != INSTANCE.lower() or "undecided" not in instance.private:
        return
    extensions = session.list(EXTENSION, f"{instance.key}/extensions/")
    parts = [instance, *extensions]
    failed = [part for part in parts if part.private.get("error")]
    if not failed and any(part.private.get("operation") for part in parts):
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
        _end_if_settled(session, wait, scale_set_key, time)


def _end_if_settled(session: Session, wait: Resource, scale_set_key: str, time: float) -> None:
    """End the waiting operation if all of its instances have settled."""
    found = (session.find(instance) for instance in wait.private["instances"])
    instances = [instance for instance in found if instance]
    if any(instance.settles > time for instance in instances):
        return
    failed = _finish(session, wait.name, instances, time)
    session.remove(wait.id)
    scale_set = session.find(scale_set_key)
    if scale_set and scale_set.private.get("operation") == wait.name:
        scale_set.settles, scale_set.state = time, "Failed" if failed else "Succeeded"
        session.put(scale_set)


def _finish(session: Session, operation: str, instances: list[Resource], ends: float) -> bool:
    failed = next((instance for instance in instances if instance.state == "Failed"), None)
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
