"""A mirror pushed to Blob storage, against the plain loop over the SDK: the same Azurite for both.

Azurite is one process on this machine, so what parallel requests gain against a service that
is milliseconds away is seen only where a relay puts such a distance between.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.storage.blob import ContainerClient

from benchmarks.measure import Contest, report, seconds
from imagebake.azure.blob.address import MirrorAddress
from imagebake.azure.blob.containers import BlobContainer
from imagebake.azure.blob.uploads import UploadItem, UploadPlan
from imagebake.azure.client.retry import RetryClock
from imagebake.emulator.certificate import loopback_certificate
from imagebake.kernel.digest import sha256_file
from imagebake.kernel.progress import NoProgress
from imagebake.mirror import remote
from tests.support import azurite
from tests.support.azurite import Azurite
from tests.support.storage_relay import relaying

SMALL, SMALL_BYTES = 120, 200_000
LARGE, LARGE_BYTES = 3, 40 << 20
DELAY = 0.02
_NUMBERS = itertools.count(1)


class Login:
    """Whoever asks gets a token."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # noqa: ANN401 - Azure's shape
        """A token that Azurite takes."""
        del scopes, options
        return AccessToken(azurite.token(), 2**33)


def main() -> None:
    """Push to storage that is near, and to storage that is some way off."""
    azurite.install()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shipment = _shipment(folder)
        certificate = loopback_certificate(folder, dt.datetime.now(dt.UTC))
        with (
            azurite.running(certificate.server, certificate.server, certificate.ca) as storage,
            relaying(storage) as far,
        ):
            far.delay = DELAY
            places = (
                ("storage on this machine: what checking costs", storage.url, 2.0),
                (f"storage {DELAY * 1000:.0f} ms away", far.url, 0.6),
            )
            report([_contest(storage, shipment, *place) for place in places], runs=3)


def _contest(
    storage: Azurite, shipment: UploadPlan, place: str, url: str, target: float
) -> Contest:
    return Contest(
        f"{SMALL} small and {LARGE} large files, {place}",
        lambda: _ours(storage, url, shipment),
        lambda: _loop(storage, url, shipment),
        "upload_blob in a loop",
        target,
    )


def _ours(storage: Azurite, url: str, shipment: UploadPlan) -> float:
    with _fresh(storage, url) as address, _container(storage, address) as container:
        return seconds(lambda: remote.push(shipment, container=container, progress=NoProgress()))


def _loop(storage: Azurite, url: str, shipment: UploadPlan) -> float:
    """What somebody writes who wants it there: one file after the other, not overwriting."""
    with _fresh(storage, url) as address, _client(storage, address) as client:

        def loop() -> None:
            for one in shipment.items:
                with Path(str(one.content)).open("rb") as file:
                    client.upload_blob(one.name, file, metadata={"sha256": one.sha256})

        return seconds(loop)


def _client(storage: Azurite, address: str) -> ContainerClient:
    return ContainerClient.from_container_url(
        address, credential=Login(), connection_verify=str(storage.ca)
    )


def _container(storage: Azurite, address: str) -> BlobContainer:
    patience = RetryClock(clock=time.monotonic, sleep=time.sleep, jitter=random.random)
    return BlobContainer(MirrorAddress(address), Login(), patience, ca=storage.ca)


@contextlib.contextmanager
def _fresh(storage: Azurite, url: str) -> Iterator[str]:
    address = f"{url}/bench-{next(_NUMBERS)}"
    with _client(storage, address) as client:
        client.create_container()
        yield address
        client.delete_container()


def _shipment(folder: Path) -> UploadPlan:
    sizes = [SMALL_BYTES] * SMALL + [LARGE_BYTES] * LARGE
    parcels = []
    for number, size in enumerate(sizes):
        path = folder / str(number)
        path.write_bytes(random.Random(number).randbytes(size))  # noqa: S311 - bytes, not secrets
        sha256 = sha256_file(path)
        name = f"bundles/{'0' * 64}/{number}"
        parcels.append(UploadItem(name=name, sha256=sha256, size=size, content=path))
    return UploadPlan(tuple(parcels), ())


if __name__ == "__main__":
    main()
