"""One instance of a scale set that really boots, with an extension in its model."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from imagebake.emulator.calls import Pace
from imagebake.emulator.server import Emulator
from imagebake.lab.vm_host import VmHost
from tests.support import scale_sets
from tests.support.boot_root import AGENT, boot_root
from tests.support.drills import HELLO
from tests.support.emulators import DEFINITION_ID, GROUP, Azure, RecordingBuilder, azure

VERSION_ID = f"{DEFINITION_ID}/versions/1.0.0"

pytestmark = [pytest.mark.root, pytest.mark.archive]


@contextlib.contextmanager
def layers_of(record: Mapping[str, Any]) -> Iterator[tuple[Path, ...]]:
    yield (Path(record["root"]),)


@pytest.fixture
def arm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Azure]:
    cache = request.config.cache
    assert cache is not None
    builder = RecordingBuilder({"root": str(boot_root(cache.mkdir("boot-roots")))})
    region = VmHost(layers_of, now=functools.partial(dt.datetime.now, dt.UTC))
    with Emulator(tmp_path / "emulator", builder=builder, host=region) as emulator:
        emulator.pace = Pace(provisioning=60, extension=60)
        with azure(emulator) as clients:
            clients.shelf()
            distributor = {
                "type": "SharedImage",
                "runOutputName": "version",
                "galleryImageId": VERSION_ID,
                "targetRegions": [{"name": "westeurope", "replicaCount": 1}],
            }
            clients.template(distribute=[distributor])
            clients.run()
            yield clients


def test_an_instance_is_what_its_own_agent_says(arm: Azure) -> None:
    extension = {
        "publisher": HELLO.publisher,
        "type": HELLO.type,
        "typeHandlerVersion": HELLO.version,
    }
    profile = {"extensions": [{"name": HELLO.name, "properties": extension}]}

    made = scale_sets.create(arm, capacity=1, image=VERSION_ID, extensionProfile=profile)

    assert made.provisioning_state == "Succeeded"
    instances: Any = arm.compute.virtual_machine_scale_set_vms
    view = instances.get_instance_view(GROUP, "web", "0")
    assert view.vm_agent.vm_agent_version.startswith(AGENT)
    assert view.vm_agent.statuses[0].display_status == "Ready"
    (told,) = view.extensions
    assert told.name == HELLO.name
    assert told.statuses[0].code == "ProvisioningState/succeeded"
    assert view.vm_health.status.code == "HealthState/healthy"
