"""Drills against the emulator, with machines that fail when their store does."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.machines import Machines
from imagebake.azure.model.machine import MachineRequest
from imagebake.drill.model import GOLDEN, IDENTITY, PLAIN, STORE, DrillImage, DrillPlan
from imagebake.drill.replay import DrillEnvironment, DrillServices, replay_incident
from imagebake.drill.verdict import judge_drill
from imagebake.emulator.machines.host import MachineFailed
from imagebake.emulator.server import Emulator
from imagebake.kernel.errors import CloudError
from imagebake.lab.faults import IdentityState, ServiceRequest, StoreState
from imagebake.lab.ledger import Ledger, LedgerEntry, RequestKind
from tests.support.bake_services import Tape, an_endpoint, quick
from tests.support.drills import HELLO, a_plan, a_timeline
from tests.support.emulators import DEFINITION_ID, RecordingBuilder, azure
from tests.support.machine_hosts import TinyHost

VERSION_ID = f"{DEFINITION_ID}/versions/1.0.0"
NOW = functools.partial(dt.datetime.now, dt.UTC)


@dataclass(slots=True)
class TinyIncident:
    """Breaks the machines of a `TinyHost`, and says what they would have asked."""

    host: TinyHost
    states: list[str] = field(default_factory=list)
    recorded: list[ServiceRequest] = field(default_factory=list)
    ledgers: dict[str, Ledger] = field(default_factory=dict)

    def set_store(self, state: StoreState) -> None:
        self.states.append(state.value)
        self.host.broken.clear()
        if state is not StoreState.UP:
            self.host.broken[HELLO.handler] = "Failed to fetch manifest"

    def set_identity(self, state: IdentityState) -> None:
        del state

    @property
    def asked(self) -> tuple[ServiceRequest, ...]:
        return tuple(self.recorded)

    def ledger(self, machine_id: str) -> Ledger | None:
        return self.ledgers.get(machine_id, Ledger())


@dataclass(frozen=True, slots=True)
class Scene:
    """An emulator with a version in it, and everything to drill with."""

    host: TinyHost
    incident: TinyIncident
    services: DrillServices
    tape: Tape

    def names(self) -> list[str]:
        machines = self.services.machines.clients.compute.virtual_machines
        return [machine.name for machine in machines.list("imagebake")]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    host = TinyHost(NOW)
    builder, tape = RecordingBuilder(), Tape()
    with Emulator(tmp_path / "emulator", builder=builder, host=host) as emulator:
        with azure(emulator) as arm:
            arm.shelf()
            arm.template(
                distribute=[
                    {
                        "type": "SharedImage",
                        "runOutputName": "version",
                        "galleryImageId": VERSION_ID,
                        "targetRegions": [{"name": "westeurope", "replicaCount": 1}],
                    }
                ]
            )
            arm.run()
        incident = TinyIncident(host)
        with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as clients:
            services = DrillServices(
                machines=Machines(clients),
                incident=incident,
                now=NOW,
                sleep=time.sleep,
                progress=tape,
            )
            yield Scene(host, incident, services, tape)


def a_place() -> DrillEnvironment:
    return DrillEnvironment(
        run="drill-1", size="Standard_D2s_v5", subnet_id="/subnets/any", public_key="ssh-rsa A b"
    )


def the_plan() -> DrillPlan:
    """Four hours in a second, both images from one version."""
    candidates = (
        DrillImage(label=GOLDEN, version_id=VERSION_ID, version="1.0.0"),
        DrillImage(label=PLAIN, version_id=VERSION_ID, version="1.0.0", extensions=(HELLO,)),
    )
    return a_plan(candidates=candidates, minutes_per_second=160.0)


def test_machines_are_asked_for_while_things_break_and_mend(scene: Scene) -> None:
    record = replay_incident(the_plan(), a_place(), services=scene.services)

    assert [attempt.ready for attempt in record.of(GOLDEN)] == [True] * 4
    assert [attempt.ready for attempt in record.of(PLAIN)] == [True, False, False, True]
    failed = record.of(PLAIN)[1]
    assert failed.code == "VMExtensionHandlerNonTransientError"
    assert failed.message.startswith("The handler for VM extension type 'Contoso.Demo.Hello'")
    assert judge_drill(record).passed


def test_a_machine_is_judged_by_the_world_of_the_minute_it_was_asked_for(scene: Scene) -> None:
    """A minute before everything changes, which takes less time than any machine."""
    timeline = dataclasses.replace(a_timeline(), demands=(59, 179))

    record = replay_incident(
        dataclasses.replace(the_plan(), timeline=timeline), a_place(), services=scene.services
    )

    assert [(attempt.minute, attempt.ready) for attempt in record.of(PLAIN)] == [
        (59, True),
        (179, False),
    ]


def test_nothing_is_left_of_a_drill(scene: Scene) -> None:
    replay_incident(the_plan(), a_place(), services=scene.services)

    assert scene.names() == []
    assert all(machine.stopped for machine in scene.host.machines)
    assert scene.incident.states == ["up", "409", "up", "up"]


def test_nothing_is_left_of_a_drill_that_was_interrupted(scene: Scene) -> None:
    def interrupt(text: str) -> None:
        if "cannot be read" in text:
            raise KeyboardInterrupt

    scene.tape.listen = interrupt

    with pytest.raises(KeyboardInterrupt):
        replay_incident(the_plan(), a_place(), services=scene.services)

    assert scene.names() == []
    assert scene.incident.states[-1] == "up"


def test_the_first_machine_that_failed_is_left_alone_and_looked_at_in_the_end(
    scene: Scene,
) -> None:
    record = replay_incident(the_plan(), a_place(), services=scene.services)

    assert record.witness is not None
    assert record.witness.name == record.of(PLAIN)[1].name
    assert not record.witness.healed
    assert record.witness.message == "Failed to fetch manifest"


def test_what_machines_ask_is_put_down_for_their_image_and_minute(scene: Scene) -> None:
    soon, later = (NOW() + dt.timedelta(seconds=seconds) for seconds in (5, 65))
    scene.incident.recorded += [
        ServiceRequest(soon, "store", "drill-1-plain-01", 409),
        ServiceRequest(later, "store", "drill-1-plain-01", 409),
        ServiceRequest(soon, "identity", "drill-1-plain-02", 200),
        ServiceRequest(soon, "store", "another-1-plain-01", 409),
    ]

    record = replay_incident(the_plan(), a_place(), services=scene.services)

    assert record.requests(PLAIN, STORE).by_minute == {10: 1, 11: 1}
    assert record.requests(PLAIN, IDENTITY).by_minute == {90: 1}
    assert record.requests(GOLDEN, STORE).total == 0


def test_what_the_ledger_holds_against_a_machine_is_put_down(scene: Scene) -> None:
    plan = the_plan()
    entry = LedgerEntry(time=NOW(), kind=RequestKind.DNS, host="packages.example")
    group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/imagebake"
    machine = f"{group}/providers/Microsoft.Compute/virtualMachines/drill-1-golden-01"
    scene.incident.ledgers[machine] = Ledger(entries=(entry,), counters={"dns": 2, "other": 5})

    record = replay_incident(plan, a_place(), services=scene.services)

    assert record.of(GOLDEN)[0].downloads == 7
    assert not judge_drill(record).passed


def test_people_can_watch(scene: Scene) -> None:
    replay_incident(the_plan(), a_place(), services=scene.services)

    assert "18:00  Packages cannot be read (store 409, identity up)" in scene.tape.notes
    assert scene.tape.notes[-1].startswith("21:00  golden   4 asked   4 Ready   0 failed")


def test_what_a_killed_drill_left_is_deleted_by_the_next(scene: Scene) -> None:
    scene.host.failure = MachineFailed("AllocationFailed", "no room")
    for name, tags in (("left", {"imagebake-drill": "drill-0"}), ("theirs", {})):
        with pytest.raises(CloudError, match="no room"):
            scene.services.machines.create(
                MachineRequest(
                    name=name,
                    version_id=VERSION_ID,
                    size="any",
                    subnet_id="/subnets/any",
                    public_key="ssh-rsa A b",
                    tags=tags,
                )
            )
    scene.host.failure = None

    replay_incident(the_plan(), a_place(), services=scene.services)

    assert scene.names() == ["theirs"]
