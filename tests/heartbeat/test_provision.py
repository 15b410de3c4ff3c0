"""One beat in an outage, with machines that really boot: the image, and a plain one."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.machines import Machines
from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from imagebake.heartbeat.model import GOLDEN, HANDLER, PLAIN, SCRIPT, TOKEN, Beat
from imagebake.heartbeat.provision import HeartbeatRun, HeartbeatServices, provision_machines
from imagebake.heartbeat.targets import Target
from imagebake.heartbeat.verdict import Cause, find_incidents, judge_beats
from imagebake.lab.faults import StoreState
from imagebake.lab.vm_host import VmHost
from tests.support.bake_services import Tape, an_endpoint, quick
from tests.support.boot_root import boot_root
from tests.support.drills import HELLO
from tests.support.emulators import (
    DEFINITION_ID,
    RecordingBuilder,
    a_distributor,
    azure,
)

NOW = functools.partial(dt.datetime.now, dt.UTC)
VERSION_ID = f"{DEFINITION_ID}/versions/1.0.0"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAl3h1YV5rGm1Q8k4Qk4mVfQ0pS8d1x7o0kq7Yp0h2aB"

pytestmark = [pytest.mark.root, pytest.mark.archive]


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
    with Emulator(folder, builder=RecordingBuilder({"root": str(root)}), host=region) as emulator:
        emulator.pace = Pace(provisioning=60, extension=60)
        with azure(emulator) as arm:
            arm.shelf()
            arm.template(distribute=[a_distributor(galleryImageId=VERSION_ID)])
            arm.run()
        with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as clients:
            yield Machines(clients)


def a_target(label: str, **changes: Any) -> Target:  # noqa: ANN401 - any field
    fields: dict[str, Any] = {
        "image": "demo",
        "version": "1.0.0",
        "version_id": VERSION_ID,
        "published": None,
        "region": "westeurope",
        "rings": ("canary",),
        "label": label,
        "size": "Standard_D2s_v5",
        "timeout": 60.0,
    }
    return Target(**(fields | changes))


GOLDEN_ONE = a_target(GOLDEN, script=("test -d /etc/systemd", 'echo "it is fine on $(uname)"'))
PLAIN_ONE = a_target(PLAIN, extensions=(HELLO,))


def beat(machines: Machines, region: VmHost, run: str, *targets: Target) -> tuple[Beat, ...]:
    made = HeartbeatRun(run=run, owner="test", subnet=lambda name: f"/{name}", public_key=KEY)
    services = HeartbeatServices(
        machines=machines,
        ledger=region.ledger,
        orphaned=lambda _: False,
        now=NOW,
        patience=quick(),
        progress=Tape(),
    )
    return provision_machines(targets, made, services=services)


def test_the_first_beat_of_an_outage_names_the_host_and_the_phase(
    machines: Machines, region: VmHost
) -> None:
    region.set_store(StoreState.PUBLIC_ACCESS_DENIED)
    try:
        golden, plain = beat(machines, region, "a-1", GOLDEN_ONE, PLAIN_ONE)
    finally:
        region.set_store(StoreState.UP)

    assert golden.good, golden
    names = [phase.name for phase in golden.phases]
    assert names == ["create", "ready", "agent", TOKEN, SCRIPT]
    assert golden.requests is not None
    assert golden.requests.total == 0

    (opened,) = find_incidents(judge_beats([golden, plain]), {"demo": 1})
    failed = opened.first.failure
    assert opened.first.cause is Cause.PLATFORM
    assert failed is not None
    assert failed.name == HANDLER + HELLO.handler
    assert failed.host.startswith("packages-"), plain
    assert machines.tagged("imagebake-heartbeat") == {}
