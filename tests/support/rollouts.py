"""A whole fleet in the emulator, and the commands of a rollout before it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.compute.fleet import Fleet
from imagebake.azure.model.fleet import Inventory
from imagebake.azure.model.gallery import TAG_BAKE_KEY, TAG_PROOF, GalleryVersion
from imagebake.azure.resources.resource_ids import name_of
from imagebake.emulator.server import Emulator
from imagebake.heartbeat.history_report import read_heartbeats
from imagebake.kernel.context import Context, Workspace
from imagebake.kernel.settings import Settings
from imagebake.rollout.claims import URGENT
from imagebake.rollout.model.index import VersionIndex
from imagebake.rollout.model.plan import RolloutPlan
from imagebake.rollout.operation import Planner, RolloutContext, claim_and_apply
from imagebake.rollout.planners import promotion_planner, rollback_planner, rotation_planner
from imagebake.rollout.present import RolloutRequest
from imagebake.rollout.promote import rings_of
from imagebake.session.session import AzureBackend, CloudSession, Destination, LocalBuildLogs
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.bake_services import Tape, an_endpoint, quick
from tests.support.builders import a_spec
from tests.support.emulators import Clock, RecordingBuilder
from tests.support.live_fleets import GROUP, World, version_id

REGIONS = ("westeurope", "northeurope")
RINGS: tuple[dict[str, Any], ...] = (
    {"name": "canary", "regions": ("westeurope",), "audience": {"scale_sets": ("canary",)}},
    {"name": "broad", "audience": {"scale_sets": ("broad-1", "broad-2", "broad-3")}, "at_once": 2},
)
SETS = ("canary", "broad-1", "broad-2", "broad-3")


def a_ringed_spec(**changes: Any) -> ImageSpec:  # noqa: ANN401 - any field
    """A spec of two regions and two rings, the second of which is everywhere."""
    regions = tuple({"name": name, "replicas": 1} for name in REGIONS)
    return a_spec(**{"regions": regions, "rings": RINGS} | changes)


@dataclass(slots=True)
class Rollout:
    """A fleet, the clock of it and of Azure, and one who rotates."""

    emulator: Emulator
    folder: Path
    clock: Clock
    cloud: Clients
    spec: ImageSpec = field(default_factory=a_ringed_spec)
    settings: Settings = field(default_factory=Settings)
    tape: Tape = field(default_factory=Tape)
    limit: float = 60.0

    @property
    def world(self) -> World:
        """Hands that make what there is."""
        return World(self.emulator, self.cloud)

    @property
    def fleet(self) -> Fleet:
        return Fleet(self.cloud, GROUP, self.clock)

    @property
    def place(self) -> RolloutContext:
        """What the commands work with."""
        workspace = Workspace(root=self.folder, state=self.folder / "state")
        site = Context(
            workspace=workspace, settings=self.settings, progress=self.tape, now=self.clock()
        )
        to = Destination(gallery=GROUP, identity="", mirror_url="")
        end = CloudSession(
            cloud=self.cloud,
            destination=to,
            bases=AzureBackend(),
            images=AzureBackend(),
            logs=LocalBuildLogs(lambda _: None),
        )
        return RolloutContext(
            context=site,
            session=end,
            fleet=self.fleet,
            now=self.clock,
            began=self.clock(),
            limit=self.limit,
        )

    @contextlib.contextmanager
    def again(self) -> Iterator[Rollout]:
        """The same as a new process sees it."""
        with Clients(an_endpoint(self.emulator.url, self.emulator.ca), quick()) as cloud:
            yield replace(self, cloud=cloud, tape=Tape())

    def build(self) -> None:
        """Make a gallery with one version, everybody on it and current, and a newer one."""
        self.world.shelf("demo")
        self.bake("1.0.0")
        for name in SETS:
            self.world.scale_set(name)
        self.promote("1.0.0", "canary")
        self.promote("1.0.0", "broad")
        self.clock.turn(days=1)
        self.bake("1.0.1")

    def bake(self, version: str, *, proof: str = "passed 0123", **tags: str) -> str:
        """A hidden version, proved, as a bake leaves it."""
        told = {TAG_BAKE_KEY: f"key of {version}", TAG_PROOF: proof} | tags
        return self.world.version(version, tags=told, excludeFromLatest=True)

    def order(self, verb: str = "rotation", **changes: Any) -> RolloutRequest:  # noqa: ANN401
        return RolloutRequest(**{"verb": verb, "again": "./inv"} | changes)

    def rotate(self, override: str = "", **order: Any) -> None:  # noqa: ANN401 - of the order
        at = self.place
        decide = rotation_planner(at, self.spec, override, heartbeats=read_heartbeats)
        claim_and_apply(at, self.spec, decide, self.order(**order), wait=0)

    def promote(self, version: str | None, ring: str, override: str = "") -> None:
        at = self.place
        decide = promotion_planner(
            at, self.spec, ring, version, override, heartbeats=read_heartbeats
        )
        claim_and_apply(at, self.spec, decide, self.order("promotion", needed=True), wait=0)

    def rollback(
        self, ring: str | None = None, version: str | None = None, *, wait: float = 0
    ) -> None:
        at = self.place
        decide = rollback_planner(at, self.spec, ring, version, reason="it does not boot")
        order = self.order(URGENT, needed=True, objective=dt.timedelta(minutes=10))
        claim_and_apply(at, self.spec, decide, order, wait=wait)

    def plan(self, decide: Planner | None = None) -> RolloutPlan:
        """What a rotation would do now."""
        at = self.place
        return at.plan_with_replicas(
            decide or rotation_planner(at, self.spec, heartbeats=read_heartbeats), at.inventory()
        )[0]

    def inventory(self) -> Inventory:
        return self.fleet.inventory()

    def version(self, number: str) -> GalleryVersion:
        found = self.fleet.version(version_id(number))
        assert found
        return found

    def current(self) -> dict[str, str]:
        """The version that is current, by ring."""
        rings = rings_of(self.spec, VersionIndex(self.inventory()))
        found = {name: rings.current(name) for name in rings.names}
        return {name: str(one.version) for name, one in found.items() if one}

    def on(self) -> dict[str, set[str]]:
        """The versions in each scale set's model and instances."""
        return {
            one.name: {name_of(one.image)} | {name_of(i.exact or i.image) for i in one.instances}
            for one in self.inventory().scale_sets
        }

    def shown(self) -> dict[str, set[str]]:
        """The regions that show each version."""
        return {str(one.version): set(one.shown) for one in self.inventory().of("demo")}

    def state(self) -> dict[str, Any]:
        """Everything that a rollout is about, without times and claims."""
        versions = {
            str(one.version): (
                sorted(name for name in one.tags if "claim" not in name),
                sorted(one.shown),
                sorted(one.regions),
                one.guarded,
            )
            for one in self.inventory().of("demo")
        }
        return {"current": self.current(), "on": self.on(), "versions": versions}

    def records(self) -> list[dict[str, Any]]:
        """What was written down of every rollout, in the order of their names."""
        folder = self.folder / "state" / "mirror" / "records" / GROUP / "demo" / "rollouts"
        return [json.loads(path.read_bytes()) for path in sorted(folder.iterdir())]

    def claims(self) -> list[str]:
        tags = self.fleet.definition_tags("demo")
        return [name for name in tags if "claim" in name]


@contextlib.contextmanager
def a_rollout(
    folder: Path, clock: Clock, *, build: Callable[[Rollout], None] = Rollout.build
) -> Iterator[Rollout]:
    """A fleet of its own in *folder*; one that is there already is taken as it is."""
    arm, new = folder / "emulator", not (folder / "emulator").exists()
    with (
        Emulator(
            arm, builder=RecordingBuilder(), now=clock, resource_group="elsewhere"
        ) as emulator,
        Clients(an_endpoint(emulator.url, emulator.ca), quick()) as cloud,
    ):
        rollout = Rollout(emulator, folder, clock, cloud)
        if new:
            build(rollout)
        yield rollout
