"""A generated world in the emulator: images, their versions, and the scale sets that use them."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.endpoint import Endpoint
from imagebake.azure.client.identity import LoopbackCredential
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.compute.fleet import Fleet
from imagebake.emulator.server import SUBSCRIPTION, Emulator
from imagebake.emulator.throttling import ThrottlingPolicy

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/imagebake"
GALLERY = f"{GROUP}/providers/Microsoft.Compute/galleries/imagebake"
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a world is; scale sets are spread over the images."""

    images: int
    versions: int
    """Of each image: one a day, the last one yesterday."""
    scale_sets: int
    instances: int
    """Of each scale set."""


@dataclass(slots=True)
class FastTime:
    """A clock that runs *speed* times as fast as this machine's, for clients and emulator."""

    speed: float
    began: float = field(default_factory=time.monotonic)

    def clock(self) -> float:
        """The seconds that have passed."""
        return (time.monotonic() - self.began) * self.speed

    def sleep(self, seconds: float) -> None:
        """Let *seconds* pass."""
        time.sleep(seconds / self.speed)

    def now(self) -> dt.datetime:
        """The time of the day."""
        return NOW + dt.timedelta(seconds=self.clock())


class NoBuilder:
    """Builds nothing: no image is baked here."""

    def build(self, template: Mapping[str, Any], **_: Any) -> NoReturn:  # noqa: ANN401
        """Refuse."""
        raise NotImplementedError


def name_of(image: int) -> str:
    """An image's definition."""
    return f"image-{image:03}"


def version_of(image: int, age: int) -> str:
    """The id of the version of *image* that is *age* versions older than its newest one."""
    day = NOW - dt.timedelta(days=1 + age)
    number = f"{day.year}.{day.month * 100 + day.day}.0"
    return f"{GALLERY}/images/{name_of(image)}/versions/{number}"


def resources(size: Size) -> Iterator[Json]:
    """The bodies of everything in a world of that *size*."""
    yield {"id": GALLERY, "properties": {}}
    for image in range(size.images):
        yield {"id": f"{GALLERY}/images/{name_of(image)}", "properties": _definition(image)}
        for age in range(size.versions):
            yield _version(image, age)
    for number in range(size.scale_sets):
        yield _scale_set(number, size)


def _definition(image: int) -> Json:
    return {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "architecture": "x64",
        "identifier": {"publisher": "imagebake", "offer": "bench", "sku": name_of(image)},
    }


def _version(image: int, age: int) -> Json:
    made = NOW - dt.timedelta(days=1 + age)
    named = version_of(image, age)
    tags = {
        "imagebake-bake-key": f"{image:03}{age:061}",
        "imagebake-proof": "passed 0123",
        "imagebake-spec": "0" * 64,
        "imagebake-lock": "1" * 64,
    }
    if age:  # the newest one is nobody's yet
        tags["imagebake-ring-broad"] = (made + dt.timedelta(hours=2)).isoformat()
    profile = {
        "publishedDate": made.isoformat(),
        "excludeFromLatest": age == 0,
        "targetRegions": [{"name": "westeurope"}, {"name": "northeurope"}],
    }
    return {"id": named, "tags": tags, "properties": {"publishingProfile": profile}}


def _scale_set(number: int, size: Size) -> Json:
    image = version_of(number % size.images, 1)
    network = {"networkInterfaceConfigurations": [{"name": "nic"}]}
    return {
        "id": f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/web-{number:04}",
        "location": "westeurope",
        "tags": {"fleet": "bench"},
        "sku": {"name": "Standard_D2s_v5", "capacity": size.instances},
        "properties": {
            "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": {
                "storageProfile": {"imageReference": {"id": image}},
                "osProfile": {"computerNamePrefix": "web", "adminUsername": "azureuser"},
                "networkProfile": network,
            },
        },
    }


@contextlib.contextmanager
def a_world(
    size: Size, clock: FastTime, throttle: ThrottlingPolicy | None
) -> Iterator[tuple[Emulator, Callable[[], contextlib.AbstractContextManager[Fleet]]]]:
    """An emulator with a world in it that refuses by *throttle*, and fleets on demand."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Emulator(Path(folder), builder=NoBuilder(), now=clock.now) as emulator,
    ):
        emulator.load(resources(size))
        emulator.throttle = throttle
        yield emulator, lambda: a_fleet(emulator, clock)


@contextlib.contextmanager
def a_fleet(emulator: Emulator, clock: FastTime) -> Iterator[Fleet]:
    """The fleet before *emulator*, with clients that know of its throttle nothing yet."""
    endpoint = Endpoint(
        base_url=emulator.url,
        scopes=(f"{emulator.url}/.default",),
        credential=LoopbackCredential(),
        subscription=SUBSCRIPTION,
        resource_group="imagebake",
        location="westeurope",
        ca=emulator.ca,
    )
    dice = random.Random(1).random  # noqa: S311 - jitter
    patience = RetryClock(clock=clock.clock, sleep=clock.sleep, jitter=dice)
    with Clients(endpoint, patience) as clients:
        yield Fleet(clients, "imagebake", clock.now)
