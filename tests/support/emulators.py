"""An emulator with a recording builder, and the real clients connected to it."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.imagebuilder import ImageBuilderClient

from imagebake.azure.client.endpoint import Credential
from imagebake.azure.client.identity import azure_credential
from imagebake.emulator.image_builder.builder import BuildFailed
from imagebake.emulator.server import SUBSCRIPTION as EMULATED
from imagebake.emulator.server import Emulator
from imagebake.session.session import retry_clock
from tests.support import contract_target
from tests.support.contract_target import Subscription

_TARGET = contract_target.subscription(os.environ)
SUBSCRIPTION = _TARGET.subscription if _TARGET else EMULATED
GROUP = contract_target.group(os.environ)
GROUP_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
IDENTITY = os.environ.get(
    "IMAGEBAKE_CONTRACT_IDENTITY",
    f"{GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder",
)
DEFINITION_ID = f"{GROUP_ID}/providers/Microsoft.Compute/galleries/shelf/images/demo"


@dataclass(slots=True)
class RecordingBuilder:
    """A builder that builds nothing and records the templates; raises *failure* if that is set.

    With *hold* a build continues until `released` is set or it is cancelled; with *deaf* it
    ignores the cancellation.
    """

    record: dict[str, Any] = field(default_factory=lambda: {"layers": ["base"]})
    failure: Exception | None = None
    hold: bool = False
    deaf: bool = False
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    states: tuple[str, ...] = ("Building", "Customizing")

    def build(
        self,
        template: Mapping[str, Any],
        *,
        log: Path,
        on_state: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Mapping[str, Any]:
        self.asked.append(template)
        for state in self.states:
            on_state(state)
        with log.open("a", encoding="utf-8") as file:
            file.write("PACKER OUT hello\n")
        self.entered.set()
        while self.hold and not self.released.wait(0.005):
            if cancelled() and not self.deaf:
                raise BuildFailed("Canceled", "the build was told to stop")
        if self.failure:
            raise self.failure
        return self.record


@dataclass(slots=True)
class Clock:
    """A clock that tests advance."""

    moment: dt.datetime = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.moment

    def turn(self, **by: float) -> None:
        self.moment += dt.timedelta(**by)


class AnyCredential:
    """A credential that has a token for every scope."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:  # noqa: ANN401 - Azure's
        return AccessToken("loopback", int(time.time()) + 3600)


@dataclass(frozen=True, slots=True)
class Azure:
    """The two real clients and the ARM endpoint that they use."""

    end: Emulator | Subscription
    images: ImageBuilderClient
    compute: ComputeManagementClient

    @property
    def emulator(self) -> Emulator:
        """The emulator, for tests marked `emulator_only`."""
        assert isinstance(self.end, Emulator), "this test is to be marked emulator_only"
        return self.end

    @property
    def url(self) -> str:
        """The ARM endpoint."""
        return self.end.url

    @property
    def templates(self) -> Any:  # noqa: ANN401 - the client's generated type says nothing more
        """The operations on image templates."""
        return self.images.virtual_machine_image_templates

    def gallery(self, name: str = "shelf", **properties: Any) -> Any:  # noqa: ANN401
        """Create a gallery."""
        body: Any = {"location": "westeurope", "properties": properties}
        return self.compute.galleries.begin_create_or_update(GROUP, name, body).result()

    def definition(
        self,
        name: str = "demo",
        *,
        gallery: str = "shelf",
        **properties: Any,  # noqa: ANN401 - any property
    ) -> Any:  # noqa: ANN401
        """Create an image definition in *gallery*."""
        body: Any = {"location": "westeurope", "properties": a_definition(sku=name) | properties}
        images = self.compute.gallery_images
        return images.begin_create_or_update(GROUP, gallery, name, body).result()

    def shelf(self) -> None:
        """Create the gallery and the definition of `DEFINITION_ID`."""
        self.gallery()
        self.definition()

    def version(
        self,
        name: str,
        *,
        definition: str = "demo",
        tags: dict[str, str] | None = None,
        **publishing: Any,  # noqa: ANN401 - any field of the publishing profile
    ) -> Any:  # noqa: ANN401
        """Create a version from a managed image, which does not have to exist."""
        body: Any = {
            "location": "westeurope",
            "tags": tags or {},
            "properties": {
                "storageProfile": {
                    "source": {"id": f"{GROUP_ID}/providers/Microsoft.Compute/images/any"}
                },
                "publishingProfile": publishing,
            },
        }
        versions = self.compute.gallery_image_versions
        return versions.begin_create_or_update(GROUP, "shelf", definition, name, body).result()

    def template(self, name: str = "one", **changes: Any) -> Any:  # noqa: ANN401
        """Create an image template with *changes* to its properties."""
        return self.templates.begin_create_or_update(GROUP, name, a_template(**changes)).result()

    def run(self, name: str = "one") -> Any:  # noqa: ANN401
        """Run a template to its successful end and return the template."""
        self.templates.begin_run(GROUP, name).result()
        return self.templates.get(GROUP, name)


def a_definition(sku: str = "demo", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the properties of an image definition, complete."""
    return {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "architecture": "x64",
        "identifier": {"publisher": "imagebake", "offer": "demo", "sku": sku},
        "features": [{"name": "SecurityType", "value": "TrustedLaunchSupported"}],
    } | changes


def a_distributor(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a distributor to the next version of `DEFINITION_ID`."""
    return {
        "type": "SharedImage",
        "runOutputName": "version",
        "galleryImageId": DEFINITION_ID,
        "artifactTags": {"made-by": "a test"},
        "targetRegions": [{"name": "westeurope", "replicaCount": 1}],
    } | changes


def a_template(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a small image template with *changes* to its properties; None removes a property."""
    properties: dict[str, Any] = {
        "source": {
            "type": "PlatformImage",
            "publisher": "Debian",
            "offer": "debian-12",
            "sku": "12-gen2",
            "version": "0.20260914.2237",
        },
        "customize": [{"type": "Shell", "name": "greet", "inline": ["echo hello"]}],
        "distribute": [a_distributor()],
    } | changes
    return {
        "location": "westeurope",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
        "properties": {key: value for key, value in properties.items() if value is not None},
    }


@contextlib.contextmanager
def azure(
    end: Emulator | Subscription,
    *,
    image_builder_api: str = "2025-10-01",
    **options: Any,  # noqa: ANN401 - azure-core's
) -> Iterator[Azure]:
    """Open the real clients on an emulator or a subscription."""
    settings: dict[str, Any] = {
        "base_url": end.url,
        "credential_scopes": [f"{end.url}/.default"],
        "polling_interval": 0.02,
        "retry_total": 0,
        **({"connection_verify": str(end.ca)} if end.ca else {"polling_interval": 10}),
        **options,
    }
    credential: Any = AnyCredential() if end.ca else _real_credential()
    with (
        ImageBuilderClient(
            credential, SUBSCRIPTION, api_version=image_builder_api, **settings
        ) as images,
        ComputeManagementClient(credential, SUBSCRIPTION, **settings) as compute,
    ):
        yield Azure(end, images, compute)


@functools.cache
def _real_credential() -> Credential:
    """Return the environment's credential, shared by the test run, and so its token."""
    return azure_credential(os.environ, time.time, retry_clock())
