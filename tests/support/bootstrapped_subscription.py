"""A bootstrapped subscription in the emulator, and clients that log in as its identities."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken

from imagebake.azure.client.clients import Clients
from imagebake.azure.model.gallery import TAG_PROTECTED
from imagebake.azure.resources.deployments import resource
from imagebake.bootstrap.reconcile import BootstrapPlan, apply_bootstrap, plan_bootstrap
from imagebake.bootstrap.resources import (
    BootstrapDeployment,
    BootstrapLayout,
    GalleryLocation,
    render_bootstrap,
)
from imagebake.kernel.templating import Templates
from tests.support.bake_services import SUBSCRIPTION, Tape, quick

TEMPLATES = Templates(Path(__file__).parents[2] / "templates")


def a_foundation(**changes: Any) -> BootstrapLayout:  # noqa: ANN401 - any field
    """One gallery, two regions, and a repository."""
    fields: dict[str, Any] = {
        "subscription": SUBSCRIPTION,
        "first": GalleryLocation(name="imagebake", group="imagebake", location="westeurope"),
        "second": None,
        "definitions": (),
        "regions": ("northeurope", "westeurope"),
        "repository": "example/images",
        "mirror_url": "",
        "tags": {TAG_PROTECTED: "yes"},
    }
    return BootstrapLayout(**fields | changes)


@dataclass(frozen=True, slots=True)
class Token:
    """The token of an identity, as the token endpoint would have made it."""

    client: str

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:  # noqa: ANN401 - Azure's
        parts = ({"alg": "none"}, {"appid": self.client, "oid": self.client, "exp": 2**33})
        encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts)
        token = ".".join(part.rstrip(b"=").decode() for part in encoded)
        return AccessToken(f"{token}.unsigned", 2**33)


@dataclass(frozen=True, slots=True)
class Site:
    """A foundation, and whoever makes it: somebody who may do everything."""

    it: BootstrapLayout
    cloud: Clients

    @property
    def deployments(self) -> tuple[BootstrapDeployment, ...]:
        return render_bootstrap(self.it, TEMPLATES)

    def plan(self) -> BootstrapPlan:
        return plan_bootstrap(self.deployments, {"tags": dict(self.it.tags)}, clients=self.cloud)

    def apply(self) -> BootstrapPlan:
        return apply_bootstrap(self.plan(), self.plan, clients=self.cloud, progress=Tape())

    def read(self, resource_id: str, api: str = "2024-01-01") -> dict[str, Any]:
        found = resource(self.cloud, resource_id, api)
        assert found, resource_id
        return found

    def write(self, resource_id: str, body: dict[str, Any], api: str = "2024-01-01") -> None:
        self.cloud.send("write it", "PUT", f"{resource_id}?api-version={api}", body)

    @contextlib.contextmanager
    def clients_of(self, duty: str) -> Iterator[Clients]:
        """Clients that log in as the identity of *duty*."""
        told = self.read(self.it.identity_id(duty))["properties"]
        endpoint = replace(self.cloud.endpoint, credential=Token(told["clientId"]))
        with Clients(endpoint, quick()) as clients:
            yield clients
