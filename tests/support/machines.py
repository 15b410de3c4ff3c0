"""A machine on which whole bakes happen: an emulator, a mirror, a builder that obeys."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.endpoint import Credential
from imagebake.azure.compute.galleries import Gallery
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.azure.model.manifest import BakeResult
from imagebake.build.bake import BuildServices, bake, resume
from imagebake.build.run_notes import RunNotes
from imagebake.emulator.image_builder.builder import BuildFailed
from imagebake.emulator.server import Emulator
from imagebake.kernel.host.download import Downloader
from imagebake.kernel.host.http import Connections
from imagebake.mirror.local import Mirror
from imagebake.mirror.store import DirectoryStore
from imagebake.session.session import Destination
from imagebake.spec.plan import BakePlan
from tests.support.bake_services import IDENTITY, NoBases, Tape, an_endpoint, quick, render

DESTINATION = Destination(gallery="imagebake", identity=IDENTITY, mirror_url="", commit="abc")
NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)


@dataclass(slots=True)
class ObedientBuilder:
    """Builds nothing, but says so; fails, or waits until it is released, as it is told."""

    built: int = 0
    failure: BuildFailed | None = None
    hold: bool = False
    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def build(
        self,
        template: Mapping[str, Any],
        *,
        log: Path,
        on_state: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Mapping[str, Any]:
        del template
        self.built += 1
        on_state("Building")
        on_state("Customizing")
        with log.open("a", encoding="utf-8") as file:
            file.write("customizing\n")
        self.entered.set()
        while self.hold and not self.released.wait(0.005):
            if cancelled():
                raise BuildFailed("Canceled", "cancelled")
        if self.failure:
            raise self.failure
        on_state("Distributing")
        return {"layers": [], "content_sha256": "c" * 64}


@dataclass(slots=True)
class Machine:
    """One machine that bakes; others may share its emulator."""

    emulator: Emulator
    builder: ObedientBuilder
    folder: Path
    tape: Tape = field(default_factory=Tape)
    bases: NoBases = field(default_factory=NoBases)
    credential: Credential | None = None
    """Who bakes; somebody who may do everything when None."""
    identity: str = IDENTITY
    _open: list[Clients] = field(default_factory=list)

    @property
    def cloud(self) -> Clients:
        """Clients of their own for whoever asks; closed with the machine."""
        endpoint = an_endpoint(self.emulator.url, self.emulator.ca)
        if self.credential:
            endpoint = dataclasses.replace(endpoint, credential=self.credential)
        self._open.append(Clients(endpoint, quick()))
        return self._open[-1]

    @property
    def mirror(self) -> Mirror:
        store = DirectoryStore(self.folder / "mirror")
        connections = Connections(timeout=1.0)
        downloader = Downloader(connections=connections, max_bytes=1 << 20, pause=lambda _: None)
        return Mirror(store=store, addresses={}, downloader=downloader)

    def services(self) -> BuildServices:
        return BuildServices(
            cloud=self.cloud,
            mirror=self.mirror,
            bases=self.bases,
            ship=lambda _: None,
            render=render,
            content=self._content,
            keep_log=lambda _: None,
            notes=self.notes,
            locks=self.folder / "locks",
            clock=time.monotonic,
            progress=self.tape,
        )

    def _content(self, version_id: str) -> str | None:
        record = self.emulator.image_record(version_id)
        return record["content_sha256"] if record else None

    def bake(
        self,
        plan: BakePlan,
        *,
        force: bool = False,
        emergency: str | None = None,
        **changes: Any,  # noqa: ANN401 - any hand
    ) -> BakeResult:
        to = dataclasses.replace(DESTINATION, identity=self.identity, emergency=emergency)
        hands = dataclasses.replace(self.services(), **changes)
        return bake(plan, to, now=NOW, force=force, services=hands)

    @property
    def notes(self) -> RunNotes:
        return RunNotes(self.folder / "runs")

    def resume(self, **changes: Any) -> BakeResult:  # noqa: ANN401 - any hand
        """End the one run that is under way, as its note says it."""
        (note,) = self.notes.under_way("demo")
        plan = note.read_plan()
        assert plan
        hands = dataclasses.replace(self.services(), **changes)
        return resume(note, plan, DESTINATION, now=NOW, services=hands)

    def versions(self) -> tuple[GalleryVersion, ...]:
        return Gallery(self.cloud, "imagebake").versions("demo")

    def templates(self) -> list[str]:
        operations = self.cloud.image_builder.virtual_machine_image_templates
        found = self.cloud.ask("list", operations.list_by_resource_group, "imagebake")
        return [template["name"] for template in found]

    def close(self) -> None:
        for clients in self._open:
            clients.close()


@contextlib.contextmanager
def a_cloud(folder: Path, builder: ObedientBuilder) -> Iterator[Emulator]:
    """An emulator that has the subscription, and nothing of ours in it."""
    now = functools.partial(dt.datetime.now, dt.UTC)
    with Emulator(folder, builder=builder, now=now, resource_group="elsewhere") as emulator:
        yield emulator
        builder.released.set()


@contextlib.contextmanager
def a_machine(emulator: Emulator, builder: ObedientBuilder, folder: Path) -> Iterator[Machine]:
    """A machine with *folder* to itself, before *emulator*, which others may share."""
    machine = Machine(emulator, builder, folder)
    yield machine
    machine.close()
