"""A gallery with a ringed image in an emulator whose machines obey, and one who beats."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.fleet import Fleet
from imagebake.azure.model.gallery import TAG_INCIDENT, TAG_RING
from imagebake.emulator.server import Emulator
from imagebake.heartbeat.beats import run_heartbeat
from imagebake.heartbeat.model import Beat
from imagebake.kernel.context import Context, Workspace
from imagebake.kernel.settings import Settings
from imagebake.rollout.freezes import RolloutGate
from imagebake.rollout.operation import RolloutContext
from imagebake.session.session import AzureBackend, CloudSession, Destination, LocalBuildLogs
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.bake_services import Tape, an_endpoint, quick
from tests.support.beats import console_of
from tests.support.emulators import DEFINITION_ID, RecordingBuilder, a_distributor, azure
from tests.support.live_fleets import GROUP, World
from tests.support.machine_hosts import TinyHost
from tests.support.rollouts import a_ringed_spec

NOW = functools.partial(dt.datetime.now, dt.UTC)
REGIONS = ("westeurope", "northeurope")
PLAIN_NEEDS = "Microsoft.Azure.Extensions.CustomScript"


def a_beaten_spec(regions: tuple[str, ...] = REGIONS, **heartbeat: Any) -> ImageSpec:  # noqa: ANN401
    """A spec with a script to run, in rings canary (the first region) and broad (all)."""
    terms = {"script": ("systemctl is-system-running",), "timeout_seconds": 30} | heartbeat
    return a_ringed_spec(
        regions=tuple({"name": name, "replicas": 1} for name in regions),
        rings=(
            {"name": "canary", "regions": regions[:1], "audience": {"scale_sets": ("canary",)}},
            {"name": "broad", "audience": {"scale_sets": ("broad",)}, "heartbeat": True},
        ),
        heartbeat=terms,
    )


@dataclass(slots=True)
class Beaten:
    """What is beaten, and the host of its machines."""

    emulator: Emulator
    host: TinyHost
    cloud: Clients
    folder: Path
    spec: ImageSpec = field(default_factory=lambda: a_beaten_spec(plain=True))
    tape: Tape = field(default_factory=Tape)

    def build(self) -> None:
        """One version, current in all rings, and a plain one beside it."""
        world = World(self.emulator, self.cloud)
        world.shelf("demo", "demo-plain")
        regions = tuple(region.name for region in self.spec.regions)
        since = "2026-11-20T10:00:00+00:00"
        tags = {TAG_RING + ring.name: since for ring in self.spec.rollout_rings}
        built = f"{DEFINITION_ID}/versions/1.0.0"
        with azure(self.emulator) as arm:
            arm.shelf()
            arm.template(distribute=[a_distributor(galleryImageId=built)])
            arm.run()
        world.version("1.0.0", tags=tags, regions=regions, source=built)
        world.version("1.0.0", image="demo-plain", regions=regions, source=built)

    @property
    def place(self) -> RolloutContext:
        """What the command works with."""
        workspace = Workspace(root=self.folder, state=self.folder / "state")
        site = Context(workspace=workspace, settings=Settings(), progress=self.tape, now=NOW())
        to = Destination(gallery=GROUP, identity="", mirror_url="")
        end = CloudSession(
            cloud=self.cloud,
            destination=to,
            bases=AzureBackend(),
            images=AzureBackend(),
            logs=LocalBuildLogs(lambda _: None),
        )
        fleet = Fleet(self.cloud, GROUP, NOW)
        return RolloutContext(context=site, session=end, fleet=fleet, now=NOW, began=NOW())

    def beat(self, *regions: str) -> tuple[Beat, ...]:
        """Beat once."""
        return run_heartbeat(self.place, [self.spec], set(regions) or None)

    def gate(self) -> RolloutGate:
        return self.place.gate([self.spec])

    def incidents(self) -> dict[str, str]:
        """What the tags of the definition say, by region."""
        tags = Fleet(self.cloud, GROUP, NOW).definition_tags("demo")
        return {
            name.removeprefix(TAG_INCIDENT): text
            for name, text in tags.items()
            if name.startswith(TAG_INCIDENT)
        }

    def machines(self) -> list[str]:
        """The machines that Azure has."""
        operations = self.cloud.compute.virtual_machines
        return [
            str(operation["name"]) for operation in self.cloud.ask("list", operations.list, GROUP)
        ]


@contextlib.contextmanager
def beaten(folder: Path, spec: ImageSpec | None = None) -> Iterator[Beaten]:
    """An emulator of its own in *folder*; one that is there already is taken as it is."""
    new = not (folder / "emulator").exists()
    host = TinyHost(NOW, printed=console_of)
    with (
        Emulator(
            folder / "emulator", builder=RecordingBuilder(), host=host, resource_group="elsewhere"
        ) as emulator,
        Clients(an_endpoint(emulator.url, emulator.ca), quick()) as cloud,
    ):
        made = Beaten(emulator, host, cloud, folder)
        made.spec = spec or made.spec
        if new:
            made.build()
        yield made
