"""VMSS reconciler: creates, reimages and deletes the instances of a scale set."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imagebake.emulator import operations
from imagebake.emulator.calls import Call, Pace, Reply
from imagebake.emulator.machines.host import EXTENSION
from imagebake.emulator.machines.scale_set_models import (
    INSTANCE,
    apply_model,
    extensions_of,
    image_of,
    instance_body,
    instances_of,
)
from imagebake.emulator.machines.supervisor import UNSETTLED, VmSupervisor
from imagebake.emulator.machines.vm_models import extension_properties, image_record
from imagebake.emulator.store import Resource, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class VmssReconciler:
    """Reconciles instances within one transaction, at *time* and at *pace*.

    An instance really boots when *supervisor* has a host and its image was built here. Otherwise
    it is inventory only, and settles after the pace's `instance` seconds. *pending* collects the
    callbacks to run after the transaction is committed.
    """

    session: Session
    pace: Pace
    time: float
    supervisor: VmSupervisor
    pending: list[Callable[[], None]] = field(default_factory=list)

    def scale(self, scale_set: Resource) -> list[Resource]:
        """Match the number of instances to `sku.capacity`; return the new instances.

        Scaling in deletes the instances with the highest ids first.
        """
        have = instances_of(self.session, scale_set)
        wanted = scale_set.body["sku"]["capacity"]
        # Documented: instance ids only grow, and scaling in takes the highest.
        for instance in have[wanted:]:
            self.remove(instance)
        if wanted <= len(have):
            return []
        image = image_of(self.session, scale_set, self.time)
        return [self._create(scale_set, image) for _ in range(wanted - len(have))]

    def _create(self, scale_set: Resource, image: Resource) -> Resource:
        number = scale_set.private["next_instance"]
        # Ids are never reused.
        scale_set.private["next_instance"] = number + 1
        instance = Resource(INSTANCE, instance_body(scale_set, number))
        instance.settling = "Creating"
        self.apply_latest_model(instance, scale_set, image)
        return instance

    def apply_latest_model(self, instance: Resource, scale_set: Resource, image: Resource) -> None:
        """Apply the scale set's model to *instance*, with the image version *image*.

        The instance is reimaged, unless it is running from that version already and only its
        extensions differ.
        """
        # Documented: another image version needs a new OS disk, another extension does not.
        keeps_disk = self._is_ready(instance) and instance.private["image"] == image.id
        apply_model(instance, scale_set, image.name)
        if not keeps_disk:
            self.reimage(instance, scale_set, image)
            return
        instance.private["error"] = None
        instance.state = "Succeeded"
        waits = self._apply_extensions(instance, scale_set, anew=False)
        instance.settles = UNSETTLED if waits else self.time
        if waits:
            instance.private["undecided"] = True
        self.session.put(instance)
        self._wake(instance)

    def reimage(self, instance: Resource, scale_set: Resource, image: Resource) -> None:
        """Give *instance* a new OS disk from *image*; its model stays."""
        instance.private["image"] = image.id
        # Inventory: settles by the clock, and fails where the pace says so.
        if not self._boots(image):
            instance.settles = self.time + self.pace.instance
            instance.state = "Failed" if self._fails(instance, image.name) else "Succeeded"
            self.session.put(instance)
            return
        private = instance.private
        is_on = private.get("power") in ("starting", "running") and self.supervisor.is_running(
            instance
        )
        operation = operations.begin(self.session, instance.id, started=self.time, ended=None)
        private.update(
            custom_data=scale_set.private["secrets"]["custom_data"],
            generation=private.get("generation", 0) + 1,
            operation=operation,
            began=self.time,
            ready=False,
            undecided=True,
            report=None,
            error=None,
        )
        instance.settles, instance.state = UNSETTLED, "Succeeded"
        self._apply_extensions(instance, scale_set, anew=True)
        if is_on:
            self._wake(instance)
        else:
            self.pending.append(
                self.supervisor.supervise(instance, image_record(image, self.session))
            )
        self.session.put(instance)

    def remove(self, instance: Resource) -> None:
        """Delete *instance*; the process that runs it powers it off."""
        self.session.remove(instance.id)
        self._wake(instance)

    def _apply_extensions(self, instance: Resource, scale_set: Resource, *, anew: bool) -> bool:
        """Apply the model's extensions to a running instance; return whether any must settle."""
        stem = f"{instance.id}/extensions/"
        wanted = {
            extension["name"]: extension.get("properties") or {}
            for extension in _extensions(scale_set)
        }
        for known in self.session.list(EXTENSION, stem):
            if known.name not in wanted:
                self.session.remove(known.id)
        protected_settings = scale_set.private["secrets"]["protected"]
        waits = False
        for name, properties in wanted.items():
            before = self.session.find(f"{stem}{name}")
            protected = protected_settings.get(name)
            same = (
                before
                and before.properties == properties
                and before.private["protected"] == protected
            )
            if same and not anew:
                continue
            waits = True
            # The agent runs a handler again only when the sequence number of its settings goes
            # up.
            sequence = before.private["sequence"] + (not same) if before else 0
            self.session.put(self._extension(instance, name, properties, protected, sequence))
        return waits

    def _extension(
        self,
        instance: Resource,
        name: str,
        given: dict[str, Any],
        protected: object,
        sequence: int,
    ) -> Resource:
        body = {
            "name": name,
            "id": f"{instance.id}/extensions/{name}",
            "type": f"{INSTANCE}/extensions",
            "location": instance.body["location"],
            "properties": extension_properties(given),
        }
        operation = operations.begin(self.session, body["id"], started=self.time, ended=None)
        private = {
            "protected": protected,
            "sequence": sequence,
            "operation": operation,
            "began": self.time,
        }
        return Resource(EXTENSION, body, private, settles=UNSETTLED, settling="Creating")

    def _is_ready(self, instance: Resource) -> bool:
        known = instance.private
        return bool(
            known.get("power") == "running" and known.get("ready")
        ) and self.supervisor.is_running(instance)

    def _boots(self, image: Resource) -> bool:
        if self.supervisor.host is None:
            return False
        return bool(self.session.record(image.id) or image.private.get("record"))

    def _wake(self, instance: Resource) -> None:
        self.pending.append(lambda: self.supervisor.wake(instance.key))

    def _fails(self, instance: Resource, version: str) -> bool:
        names = (instance.name, f"{instance.name}@{version}")
        patterns = self.pace.failing_instances
        return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)

    def start(self) -> None:
        """Run the pending callbacks; call it after the transaction is committed."""
        for begin in self.pending:
            begin()

    def reply(self, reply: Reply) -> Reply:
        """Return *reply* with the pending callbacks to run after it."""
        return Reply(reply.status, reply.body, reply.headers, self.start)


def reconciler_of(call: Call, supervisor: VmSupervisor) -> VmssReconciler:
    """Return the reconciler for the transaction of *call*."""
    return VmssReconciler(
        session=call.session, pace=call.pace, time=call.time, supervisor=supervisor
    )


def _extensions(scale_set: Resource) -> list[dict[str, Any]]:
    return extensions_of(scale_set.properties)
