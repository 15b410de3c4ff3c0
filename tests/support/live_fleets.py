"""A gallery and its users in the emulator, and the fleet that a rollout sees of them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imagebake.azure.client.clients import Clients
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.compute.fleet import Fleet
from imagebake.emulator.server import Emulator
from tests.support.bake_services import SUBSCRIPTION, an_endpoint, quick
from tests.support.emulators import a_definition
from tests.support.scale_sets import a_scale_set

GROUP = "imagebake"
GALLERY_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute"
    f"/galleries/{GROUP}"
)
SETS = f"{GALLERY_ID.rpartition('/galleries')[0]}/virtualMachineScaleSets"
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def version_id(version: str = "1.0.0", image: str = "demo") -> str:
    """The id of a version."""
    return f"{GALLERY_ID}/images/{image}/versions/{version}"


def set_id(name: str = "web") -> str:
    """The id of a scale set."""
    return f"{SETS}/{name}"


@dataclass(frozen=True, slots=True)
class World:
    """Hands that make what a fleet is made of; not those that are tested."""

    emulator: Emulator
    cloud: Clients

    def shelf(self, *images: str, **properties: Any) -> None:  # noqa: ANN401 - of the gallery
        """Create the gallery, and a definition for each of *images*."""
        path = f"{self.cloud.endpoint.group_id}?api-version=2021-04-01"
        self.cloud.send("create the group", "PUT", path, {"location": "westeurope"})
        compute = self.cloud.compute
        self._put(compute.galleries, GROUP, {"location": "westeurope", "properties": properties})
        for image in images:
            body = {"location": "westeurope", "properties": a_definition(sku=image)}
            self._put(compute.gallery_images, GROUP, image, body)

    def version(
        self,
        version: str = "1.0.0",
        image: str = "demo",
        *,
        tags: dict[str, str] | None = None,
        regions: tuple[str, ...] = ("westeurope",),
        source: str = f"{GALLERY_ID.rpartition('/galleries')[0]}/images/any",
        **publishing: Any,  # noqa: ANN401 - any field of the publishing profile
    ) -> str:
        """Create a version, and return its id."""
        targets = {"targetRegions": [{"name": name} for name in regions]}
        body = {
            "location": "westeurope",
            "tags": tags or {},
            "properties": {
                "publishingProfile": targets | publishing,
                "storageProfile": {"source": {"id": source}},
            },
        }
        self._put(self.cloud.compute.gallery_image_versions, GROUP, image, version, body)
        return version_id(version, image)

    def scale_set(self, name: str = "web", **changes: Any) -> str:  # noqa: ANN401
        """Create a scale set, and return its id."""
        body = a_scale_set(**{"image": version_id()} | changes)
        self._put(self.cloud.compute.virtual_machine_scale_sets, name, body)
        return set_id(name)

    def lock(self, scope: str, name: str = "precious") -> None:
        """Put a lock on *scope* against deletion."""
        path = f"{scope}/providers/Microsoft.Authorization/locks/{name}?api-version=2020-05-01"
        body = {"properties": {"level": "CanNotDelete"}}
        self.cloud.send("lock it", "PUT", path, body)

    def resource(self, resource_id: str) -> Any:  # noqa: ANN401 - JSON
        """A resource as ARM writes it now."""
        path = f"{resource_id}?api-version=2025-04-01"
        return self.cloud.send("look at it", "GET", path)

    def _put(self, operations: Any, *place: Any) -> None:  # noqa: ANN401 - Azure's
        self.cloud.ask("create it", operations.begin_create_or_update, GROUP, *place)


@contextlib.contextmanager
def a_world(emulator: Emulator) -> Iterator[World]:
    """Hands before *emulator*."""
    with Clients(an_endpoint(emulator.url, emulator.ca), quick()) as cloud:
        yield World(emulator, cloud)


@contextlib.contextmanager
def a_fleet(emulator: Emulator, patience: RetryClock | None = None) -> Iterator[Fleet]:
    """The fleet that is tested, with clients of its own."""
    with Clients(an_endpoint(emulator.url, emulator.ca), patience or quick()) as cloud:
        yield Fleet(cloud, GROUP, lambda: NOON)
