"""Who makes the instances of scale sets, makes them anew, and takes them away."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imagebake.emulator import operations
from imagebake.emulator.calls import Call, Pace, Reply
from imagebake.emulator.machines.host import EXTENSION
from imagebake.emulator.machines.models import extension_properties, image_record
from imagebake.emulator.machines.scale_set_instances import image_of, instances_of
from imagebake.emulator.machines.scale_set_models import (
    INSTANCE,
    apply_model,
    extensions_of,
    instance_body,
)
from imagebake.emulator.machines.supervisor import UNSETTLED, Lives
from imagebake.emulator.store import Resource, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Works in one transaction, at *time* and at that *pace*.

    An instance really boots when *lives* has a host and its image was built here; else it is
    inventory, and settles by the clock. What begins is in *starts*, for when the transaction
    is on the disk.
    """

    session: Session
    pace: Pace
    time: float
    lives: Lives
    starts: list[Callable[[], None]] = field(default_factory=list)

    def scale(self, scale_set: Resource) -> list[Resource]:
        """Have as many instances as the scale set's capacity, the youngest go first; the new."""
        have = instances_of(self.session, scale_set)
        wanted = scale_set.body["sku"]["capacity"]
        for instance in have[wanted:]:
            self.remove(instance)
        if wanted <= len(have):
            return []
        image = image_of(self.session, scale_set, self.time)
        return [self._make(scale_set, image) for _ in range(wanted - len(have))]

    def _make(self, scale_set: Resource, image: Resource) -> Resource:
        number = scale_set.private["next_instance"]
        scale_set.private["next_instance"] = number + 1
        instance = Resource(INSTANCE, instance_body(scale_set, number))
        instance.settling = "Creating"
        self.renew(instance, scale_set, image)
        return instance

    def renew(self, instance: Resource, scale_set: Resource, image: Resource) -> None:
        """Give *instance* the model with the version *image*.

        Its disk begins anew, unless only the extensions of a running machine differ.
        """
        stays = self._is_on(instance) and instance.private["image"] == image.id
        apply_model(instance, scale_set, image.name)
        if not stays:
            self.restart(instance, scale_set, image)
            return
        instance.private["error"] = None
        instance.state = "Succeeded"
        waits = self._extend(instance, scale_set, anew=False)
        instance.settles = UNSETTLED if waits else self.time
        if waits:
            instance.private["undecided"] = True
        self.session.put(instance)
        self._knock(instance)

    def restart(self, instance: Resource, scale_set: Resource, image: Resource) -> None:
        """Let *instance* begin anew from *image*, its model as it is."""
        instance.private["image"] = image.id
        if not self._boots(image):
            instance.settles = self.time + self.pace.instance
            instance.state = "Failed" if self._fails(instance, image.name) else "Succeeded"
            self.session.put(instance)
            return
        known = instance.private
        on = known.get("power") in ("starting", "running") and self.lives.runs(instance)
        operation = operations.begin(self.session, instance.id, started=self.time, ended=None)
        known.update(
            custom_data=scale_set.private["secrets"]["custom_data"],
            generation=known.get("generation", 0) + 1,
            operation=operation,
            began=self.time,
            ready=False,
            undecided=True,
            report=None,
            error=None,
        )
        instance.settles, instance.state = UNSETTLED, "Succeeded"
        self._extend(instance, scale_set, anew=True)
        if on:
            self._knock(instance)
        else:
            self.starts.append(self.lives.begin(instance, image_record(image, self.session)))
        self.session.put(instance)

    def remove(self, instance: Resource) -> None:
        """Take *instance* away; whoever runs it turns it off."""
        self.session.remove(instance.id)
        self._knock(instance)

    def _extend(self, instance: Resource, scale_set: Resource, *, anew: bool) -> bool:
        """Give a running instance the extensions of the model; whether any is to be waited for."""
        stem = f"{instance.id}/extensions/"
        wanted = {one["name"]: one.get("properties") or {} for one in _extensions(scale_set)}
        for known in self.session.list(EXTENSION, stem):
            if known.name not in wanted:
                self.session.remove(known.id)
        hidden = scale_set.private["secrets"]["protected"]
        waits = False
        for name, given in wanted.items():
            before = self.session.find(f"{stem}{name}")
            secret = hidden.get(name)
            same = before and before.properties == given and before.private["protected"] == secret
            if same and not anew:
                continue
            waits = True
            sequence = before.private["sequence"] + (not same) if before else 0
            self.session.put(self._extension(instance, name, given, secret, sequence))
        return waits

    def _extension(
        self,
        instance: Resource,
        name: str,
        given: dict[str, Any],
        secret: object,
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
            "protected": secret,
            "sequence": sequence,
            "operation": operation,
            "began": self.time,
        }
        return Resource(EXTENSION, body, private, settles=UNSETTLED, settling="Creating")

    def _is_on(self, instance: Resource) -> bool:
        known = instance.private
        return bool(known.get("power") == "running" and known.get("ready")) and self.lives.runs(
            instance
        )

    def _boots(self, image: Resource) -> bool:
        if self.lives.host is None:
            return False
        return bool(self.session.record(image.id) or image.private.get("record"))

    def _knock(self, instance: Resource) -> None:
        self.starts.append(lambda: self.lives.knock(instance.key))

    def _fails(self, instance: Resource, version: str) -> bool:
        names = (instance.name, f"{instance.name}@{version}")
        patterns = self.pace.failing_instances
        return any(fnmatch.fnmatchcase(name, one) for name in names for one in patterns)

    def start(self) -> None:
        """Begin what there is to begin, now that the transaction is on the disk."""
        for begin in self.starts:
            begin()

    def reply(self, reply: Reply) -> Reply:
        """*reply*, and after it what there is to begin."""
        return Reply(reply.status, reply.body, reply.headers, self.start)


def crew_of(call: Call, lives: Lives) -> Crew:
    """Who does what a request wants."""
    return Crew(session=call.session, pace=call.pace, time=call.time, lives=lives)


def _extensions(scale_set: Resource) -> list[dict[str, Any]]:
    return extensions_of(scale_set.properties)
