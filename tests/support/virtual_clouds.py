"""A cloud in which hours pass in milliseconds, and those who bake there."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import random
import time as clocks
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.endpoint import Credential, Endpoint
from imagebake.azure.client.identity import LoopbackCredential, azure_credential
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.client.tokens import Source
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.model.manifest import BakeResult
from imagebake.build.bake import BuildServices, bake
from imagebake.build.run_notes import RunNotes
from imagebake.drill.virtual_time import VirtualTime
from imagebake.emulator.calls import Pace
from imagebake.emulator.fault_injection import InjectedFault
from imagebake.emulator.image_builder.builder import BuildFailed
from imagebake.emulator.server import Emulator
from imagebake.kernel.host.download import Downloader
from imagebake.kernel.host.http import Connections
from imagebake.mirror.local import Mirror
from imagebake.mirror.store import DirectoryStore
from imagebake.session.session import Destination
from imagebake.spec.plan import BakePlan
from tests.support.bake_services import IDENTITY, SUBSCRIPTION, NoBases, Tape, render
from tests.support.faulty_network import Network

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
MINUTE = 60.0
HOUR = 60 * MINUTE
_LOOK = 5 * MINUTE
AZURE = Pace(operation=40.0, replication=5 * MINUTE, token=HOUR, silent=True)
"""How long things take in Azure, and that it does not say how soon to ask again."""


@dataclass(slots=True)
class PatientBuilder:
    """Builds nothing, for *seconds* of virtual time; looks now and then whether to stop."""

    sleep: Callable[[float], None]
    seconds: float = 20 * MINUTE
    failure: BuildFailed | None = None
    built: list[str] = field(default_factory=list)

    def build(
        self,
        template: Mapping[str, Any],
        *,
        log: Path,
        on_state: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Mapping[str, Any]:
        del log
        self.built.append(template["properties"]["distribute"][0]["galleryImageId"])
        left = self.seconds
        on_state("Building")
        on_state("Customizing")
        while left > 0:
            self.sleep(min(_LOOK, left))
            left -= _LOOK
            if cancelled():
                raise BuildFailed("Canceled", "cancelled")
        if self.failure:
            raise self.failure
        on_state("Distributing")
        return {"layers": [], "content_sha256": "c" * 64}


@dataclass(slots=True)
class Shifted:
    """Tokens of the SDK, which counts their life from its own now, in another time."""

    source: Source
    clock: Callable[[], float]
    fetched: list[float] = field(default_factory=list)

    def fetch(self, *scopes: str, patient: bool, **options: Any) -> AccessToken:  # noqa: ANN401
        token = self.source.fetch(*scopes, patient=patient, **options)
        self.fetched.append(self.clock())
        return AccessToken(token.token, int(token.expires_on - clocks.time() + self.clock()))


@dataclass(slots=True)
class Bakery:
    """One who bakes, in a resource group and gallery of its own, over a network of its own."""

    cloud: VirtualCloud
    name: str
    folder: Path
    network: Network
    credential: Credential = field(default_factory=LoopbackCredential)
    tape: Tape = field(default_factory=Tape)

    def endpoint(self) -> Endpoint:
        url = self.cloud.emulator.url
        return Endpoint(
            base_url=url,
            scopes=(f"{url}/.default",),
            credential=self.credential,
            subscription=SUBSCRIPTION,
            resource_group=self.name,
            location="westeurope",
        )

    def clients(self) -> Clients:
        return Clients(self.endpoint(), self.cloud.patience(), self.network.session)

    @property
    def mirror(self) -> Mirror:
        store = DirectoryStore(self.folder / "mirror")
        downloader = Downloader(
            connections=Connections(timeout=1.0), max_bytes=1 << 20, pause=lambda _: None
        )
        return Mirror(store=store, addresses={}, downloader=downloader)

    def services(self, clients: Clients) -> BuildServices:
        return BuildServices(
            cloud=clients,
            mirror=self.mirror,
            bases=NoBases(),
            ship=lambda _: None,
            render=render,
            content=lambda _: "c" * 64,
            keep_log=lambda _: None,
            notes=RunNotes(self.folder / "runs"),
            locks=self.folder / "locks",
            clock=self.cloud.time.clock,
            progress=self.tape,
        )

    def bake(self, plan: BakePlan) -> BakeResult:
        """Bake as a program of the cloud's time."""
        to = Destination(gallery=self.name, identity=IDENTITY, mirror_url="", commit="abc")
        with self.clients() as clients:
            return bake(plan, to, now=NOW, services=self.services(clients))

    def signed_in(self) -> Shifted:
        """Be an application with a secret from here on; the result knows of every token."""
        cloud, url = self.cloud, self.cloud.emulator.url
        transport = RequestsTransport(session=self.network.session(), session_owner=False)
        found = azure_credential(
            {
                "AZURE_TENANT_ID": "t",
                "AZURE_CLIENT_ID": "c",
                "AZURE_CLIENT_SECRET": "s",
                "AZURE_AUTHORITY_HOST": url,
            },
            lambda: cloud.now().timestamp(),
            cloud.patience(),
            self.tape.note,
            transport=transport,
            disable_instance_discovery=True,
        )
        shifted = Shifted(found.source, found.clock)
        self.credential = dataclasses.replace(found, source=shifted)
        return shifted

    def again(self) -> Bakery:
        """The same one, later, over a network that is well."""
        network = Network(self.cloud.emulator.respond, self.cloud.time.sleep)
        return dataclasses.replace(self, network=network, tape=Tape())

    def versions(self) -> tuple[GalleryVersion, ...]:
        with self.clients() as clients:
            return Gallery(clients, self.name).versions("demo")

    def templates(self) -> list[str]:
        with self.clients() as clients:
            operations = clients.image_builder.virtual_machine_image_templates
            found = clients.ask("list", operations.list_by_resource_group, self.name)
            return [template["name"] for template in found]


@dataclass(slots=True)
class VirtualCloud:
    """An emulator whose clock is *time*'s, and which is reached without a socket."""

    time: VirtualTime
    emulator: Emulator
    builder: PatientBuilder
    folder: Path
    seed: int = 1
    jitter: random.Random = field(init=False)
    outage: InjectedFault | None = None

    def __post_init__(self) -> None:
        self.jitter = random.Random(self.seed)  # noqa: S311 - waits

    def now(self) -> dt.datetime:
        """The time of the day."""
        return NOW + dt.timedelta(seconds=self.time.now)

    def patience(self) -> RetryClock:
        return RetryClock(clock=self.time.clock, sleep=self.time.sleep, jitter=self.jitter.random)

    def bakery(self, name: str) -> Bakery:
        network = Network(self.emulator.respond, self.time.sleep)
        return Bakery(self, name, self.folder / name, network)


@contextlib.contextmanager
def a_virtual_cloud(folder: Path, pace: Pace = AZURE) -> Iterator[VirtualCloud]:
    """A cloud with nothing in it but the subscription."""
    time = VirtualTime()
    builder = PatientBuilder(time.sleep)
    with Emulator(
        folder / "emulator",
        builder=builder,
        now=lambda: NOW + dt.timedelta(seconds=time.now),
        resource_group="elsewhere",
        start=lambda _, work: time.spawn(time.now, work),
    ) as emulator:
        emulator.pace = pace
        yield VirtualCloud(time, emulator, builder, folder)
