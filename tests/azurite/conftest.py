"""A running Azurite, containers in it, and what goes between it and us."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from imagebake.azure.blob.address import MirrorAddress
from imagebake.azure.blob.containers import BlobContainer
from imagebake.azure.blob.uploads import UploadItem, UploadPlan
from imagebake.build.workspace_bake import build_upload_plan
from imagebake.emulator.certificate import loopback_certificate
from imagebake.kernel.digest import canonical_json, sha256_bytes
from imagebake.kernel.host.download import Downloader
from imagebake.kernel.host.http import Connections
from imagebake.mirror.local import Mirror
from imagebake.mirror.store import DirectoryStore
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import ImageSpec
from tests.support import azurite
from tests.support.azurite import Azurite, serving_tokens
from tests.support.bake_services import quick
from tests.support.builders import a_lock, a_spec, a_spec_document
from tests.support.packages import a_deb, ar
from tests.support.storage_relay import Relay, relaying

_NUMBERS = itertools.count(1)


@dataclass(slots=True)
class Login:
    """A credential that says who it is; it counts how often it is asked."""

    claims: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def get_token(self, *scopes: str, **options: Any) -> Any:  # noqa: ANN401 - Azure's own shape
        from azure.core.credentials import AccessToken  # noqa: PLC0415 - as the code it tests

        del options
        self.asked.append(scopes)
        return AccessToken(azurite.token(**self.claims), 2**33)


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    folder = tmp_path_factory.mktemp("azurite")
    certificate = loopback_certificate(folder, dt.datetime.now(dt.UTC))
    with azurite.running(certificate.server, certificate.server, certificate.ca) as running:
        yield running


@pytest.fixture
def relay(storage: Azurite) -> Iterator[Relay]:
    """What stands between us and storage, and misbehaves as it is told."""
    with relaying(storage) as relay:
        yield relay


@pytest.fixture
def connect(storage: Azurite) -> Callable[..., BlobContainer]:
    """Clients of a container; without a name, of one that is new, private and there."""

    def make(url: str = "", *, through: str = "", public: str | None = None) -> BlobContainer:
        if not url:
            url = f"{storage.url}/mirror-{next(_NUMBERS)}"
            with BlobContainer(MirrorAddress(url), Login(), quick(), ca=storage.ca) as maker:
                maker.client.create_container(public_access=public)
        if through:
            url = url.replace(storage.url, through)
        return BlobContainer(MirrorAddress(url), Login(), quick(), ca=storage.ca)

    return make


@pytest.fixture
def container(connect: Callable[..., BlobContainer]) -> Iterator[BlobContainer]:
    with connect() as made:
        yield made


@pytest.fixture
def parcel(tmp_path: Path) -> Callable[..., UploadItem]:
    """Make a file of so many bytes, and a parcel of it."""

    def make(name: str, size: int = 1000, *, seed: str = "") -> UploadItem:
        line = f"{seed or name} "
        content = (line * (size // len(line) + 1))[:size].encode()
        path = tmp_path / sha256_bytes(content)
        path.write_bytes(content)
        return UploadItem(name=name, sha256=sha256_bytes(content), size=size, content=path)

    return make


@dataclass(frozen=True, slots=True)
class Stock:
    """A repository with one image, and a mirror that has everything that image needs."""

    root: Path
    spec: ImageSpec
    lock: Lock

    @property
    def mirror(self) -> Mirror:
        store = DirectoryStore(self.root / ".imagebake" / "mirror")
        connections = Connections(timeout=1.0)
        downloader = Downloader(connections=connections, max_bytes=1, pause=lambda _: None)
        return Mirror(store=store, addresses={}, downloader=downloader)

    @property
    def upload_plan(self) -> UploadPlan:
        return build_upload_plan(self.mirror, self.lock)


@pytest.fixture
def stock(tmp_path: Path) -> Callable[..., Stock]:
    """Stock a repository; its package jq is at least so large."""

    def make(padding: int = 0, *, seed: str = "") -> Stock:
        root = tmp_path / f"repository-{seed}"
        store = DirectoryStore(root / ".imagebake" / "mirror")
        spec = a_spec()
        lock = a_lock(spec)
        steps = []
        for step in lock.steps:
            packages = []
            for one in step.packages:
                fields = {"Package": one.name, "Version": one.version, "Architecture": "amd64"}
                content = a_deb({**fields, "Description": f"about {one.name}{seed}"})
                content += ar({"padding": b"\0" * (padding * (one.name == "jq"))})[8:]
                sha256 = store.put(content)
                change = {"sha256": sha256, "size": len(content)}
                packages.append(one.model_copy(update=change))
            steps.append(step.model_copy(update={"packages": tuple(packages)}))
        lock = lock.model_copy(update={"steps": tuple(steps)})
        specs = root / "image_specs"
        specs.mkdir()
        (specs / "demo.yaml").write_text(json.dumps(a_spec_document()))
        (specs / "demo.lock.json").write_bytes(canonical_json(lock.to_json()))
        return Stock(root, spec, lock)

    return make


@pytest.fixture
def login() -> Iterator[str]:
    """The address of what gives tokens to machines, whatever they are asked for."""
    with serving_tokens() as url:
        yield url
