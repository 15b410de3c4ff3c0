"""One short drill with machines that really boot, through the real clients."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.machines import Machines
from imagebake.azure.model.machine import MachineRequest
from imagebake.drill.model import (
    GOLDEN,
    IDENTITY,
    PLAIN,
    STORE,
    DrillImage,
    DrillPhase,
    DrillRecord,
    Timeline,
)
from imagebake.drill.replay import DrillEnvironment, DrillServices, replay_incident
from imagebake.drill.verdict import judge_drill
from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from imagebake.lab.faults import IdentityState, StoreState
from imagebake.lab.vm_host import VmHost
from tests.support.bake_services import Tape, an_endpoint, quick
from tests.support.boot_root import AGENT, boot_root
from tests.support.drills import HELLO, a_plan
from tests.support.emulators import DEFINITION_ID, RecordingBuilder, azure

NOW = functools.partial(dt.datetime.now, dt.UTC)
VERSION_ID = f"{DEFINITION_ID}/versions/1.0.0"
PLACE = DrillEnvironment(
    run="drill-2",
    size="Standard_D2s_v5",
    subnet_id="/subnets/any",
    public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAl3h1YV5rGm1Q8k4Qk4mVfQ0pS8d1x7o0kq7Yp0h2aB",
    patience=60,
)
TIMELINE = Timeline(
    title="Half a minute",
    origin=dt.datetime(2026, 2, 2, 17, 0, tzinfo=dt.UTC),
    phases=(
        DrillPhase(name="Calm", start=0),
        DrillPhase(name="Packages cannot be read", start=16, store=StoreState.PUBLIC_ACCESS_DENIED),
        DrillPhase(name="No tokens", start=28, identity=IdentityState.BROKEN),
        DrillPhase(name="Recovered", start=60),
    ),
    demands=(0, 17, 29),
    end=60,
)

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.archive]


@contextlib.contextmanager
def layers_of(record: Mapping[str, Any]) -> Iterator[tuple[Path, ...]]:
    yield (Path(record["root"]),)


@pytest.fixture(scope="module")
def region() -> VmHost:
    return VmHost(layers_of, now=NOW)


@pytest.fixture(scope="module")
def machines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, region: VmHost
) -> Iterator[Machines]:
    cache = request.config.cache
    assert cache is not None
    root = boot_root(cache.mkdir("boot-roots"))
    folder = tmp_path_factory.mktemp("emulator")
    builder = RecordingBuilder({"root": str(root)})
    with Emulator(folder, builder=builder, host=region) as emulator:
        emulator.pace = Pace(provisioning=60, extension=60)
        with azure(emulator) as arm:
            arm.shelf()
            distributor = {
                "type": "SharedImage",
                "runOutputName": "version",
                "galleryImageId": VERSION_ID,
                "targetRegions": [{"name": "westeurope", "replicaCount": 1}],
            }
            arm.template(distribute=[distributor])
            arm.run()
        with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as clients:
            yield Machines(clients)


@pytest.fixture(scope="module")
def record(machines: Machines, region: VmHost) -> DrillRecord:
    candidates = (
        DrillImage(label=GOLDEN, version_id=VERSION_ID, version="1.0.0"),
        DrillImage(label=PLAIN, version_id=VERSION_ID, version="1.0.0", extensions=(HELLO,)),
    )
    plan = a_plan(candidates=candidates, timeline=TIMELINE, minutes_per_second=1.0)
    services = DrillServices(
        machines=machines, incident=region, now=NOW, sleep=time.sleep, progress=Tape()
    )
    return replay_incident(plan, PLACE, services=services)


def test_machines_that_download_fail_and_those_that_do_not_get_through(
    record: DrillRecord,
) -> None:
    verdict = judge_drill(record)

    assert [attempt.ready for attempt in record.of(GOLDEN)] == [True, True, True], record.of(GOLDEN)
    assert [attempt.ready for attempt in record.of(PLAIN)] == [True, False, False], record.of(PLAIN)
    assert verdict.passed, verdict


def test_each_failure_has_the_words_of_what_was_broken(record: DrillRecord) -> None:
    _, no_package, no_token = record.of(PLAIN)

    assert no_package.code == "VMExtensionHandlerNonTransientError"
    assert "manifest" in no_package.message
    assert no_token.code == "VMExtensionProvisioningError"
    assert "no token for https://vault.azure.net" in no_token.message


def test_what_machines_asked_is_seen_and_golden_ones_asked_nothing(record: DrillRecord) -> None:
    assert record.requests(PLAIN, STORE).total >= 4
    assert record.requests(PLAIN, IDENTITY).total >= 2
    assert record.requests(GOLDEN, STORE).total == 0
    assert [attempt.downloads for attempt in record.of(GOLDEN)] == [0, 0, 0]
    assert all(attempt.downloads for attempt in record.of(PLAIN))


def test_what_failed_does_not_heal(record: DrillRecord) -> None:
    assert record.witness is not None
    assert not record.witness.healed


def test_the_agent_speaks_for_itself(machines: Machines, region: VmHost) -> None:
    region.set_store(StoreState.BLACK_HOLE)
    try:
        wish = MachineRequest(
            name="alone",
            version_id=VERSION_ID,
            size="Standard_D2s_v5",
            subnet_id="/subnets/any",
            public_key=PLACE.public_key,
        )
        machines.create(wish)
        view = machines.await_agent("alone", limit=60)
        assert (view.power, view.agent_ready) == ("running", True)
        assert view.agent_version.startswith(AGENT)
    finally:
        region.set_store(StoreState.UP)
        machines.delete("alone")
