"""The composition root's second half: which Azure is spoken to, and with which hands."""

from __future__ import annotations

import contextlib
import os
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from imagebake.app import Site
from imagebake.artifacts.mirror import Mirror
from imagebake.artifacts.store import DirectoryStore
from imagebake.bake import Bases, Destination
from imagebake.cloud.clients import Clients
from imagebake.cloud.endpoint import Endpoint
from imagebake.cloud.identity import LoopbackCredential, azure_credential
from imagebake.cloud.retry import Patience
from imagebake.errors import ArtifactError, UsageError
from imagebake.host import process
from imagebake.host.connections import PUBLIC, Connections
from imagebake.host.download import Downloader, Wanted
from imagebake.local import LocalEnd, local_end, make_engine
from imagebake.model.lock import Lock
from imagebake.model.plan import BakePlan
from imagebake.pins.archive import Archives, find_archives
from imagebake.pins.machine import read_configuration

AZURE = "https://management.azure.com"
LOCAL_MIRROR = "file:///run/imagebake/mirror"
_SILENCE_SECONDS = 30.0


class Images(Protocol):
    """The contents of image versions, where they can be read from here."""

    def content(self, version_id: str) -> str | None:
        """The digest of a version's root file system, where it is known."""

    def open_tar(self, version_id: str) -> AbstractContextManager[BinaryIO]:
        """The root file system of a version as a tar, to be read to its end."""

    def export_vhd(self, version_id: str, out: Path, *, size_gib: int) -> None:
        """Write the disk of a version to *out* as a fixed VHD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One Azure, or the emulator, with everything that a bake needs of it."""

    cloud: Clients
    destination: Destination
    bases: Bases
    images: Images


class InAzure:
    """What is in Azure and stays there: marketplace images, and the contents of versions."""

    def offer(self, plan: BakePlan) -> None:
        """Do nothing: Azure has its marketplace images."""

    def content(self, version_id: str) -> None:
        """Not known: the build machine is gone."""

    def open_tar(self, version_id: str) -> AbstractContextManager[BinaryIO]:
        """Refuse, because only the build could read it."""
        raise UsageError(
            f"what is in version {version_id.rpartition('/')[2]} is in Azure, out of reach",
            hint="its validators ran in the build; what is baked with IMAGEBAKE_CLOUD=local can be read",
        )

    def export_vhd(self, version_id: str, out: Path, *, size_gib: int) -> None:
        """Refuse, as `open_tar` does."""
        del out, size_gib
        self.open_tar(version_id)


@contextlib.contextmanager
def connect(site: Site) -> Iterator[End]:
    """Speak to the Azure that the settings name, until the context is left."""
    choose = {"local": _local, "azure": _azure}[site.settings.cloud]
    with choose(site) as end:
        yield end


@contextlib.contextmanager
def _azure(site: Site) -> Iterator[End]:
    endpoint = Endpoint(
        base_url=AZURE,
        scopes=(f"{AZURE}/.default",),
        credential=azure_credential(os.environ, time.time),
        subscription=site.settings.subscription,
        resource_group=site.settings.resource_group,
        location=site.settings.location,
    )
    with Clients(endpoint, patience()) as cloud:
        yield End(
            cloud=cloud,
            destination=_destination(site, site.settings.identity, site.settings.mirror_url),
            bases=InAzure(),
            images=InAzure(),
        )


@contextlib.contextmanager
def _local(site: Site) -> Iterator[End]:
    settings = site.settings
    engine = make_engine(site.workspace, fetcher(site))
    with local_end(site.workspace, settings, engine) as here:
        endpoint = local_endpoint(site, here)
        with Clients(endpoint, patience()) as cloud:
            identity = settings.identity or f"{endpoint.group_id}{_LOCAL_IDENTITY}"
            yield End(
                cloud=cloud,
                destination=_destination(site, identity, LOCAL_MIRROR),
                bases=here.bases,
                images=here,
            )


def local_endpoint(site: Site, here: LocalEnd) -> Endpoint:
    """The emulator as the Azure clients see it."""
    url = here.emulator.url
    return Endpoint(
        base_url=url,
        scopes=(f"{url}/.default",),
        credential=LoopbackCredential(),
        subscription=site.settings.subscription,
        resource_group=site.settings.resource_group,
        location=site.settings.location,
        ca=here.emulator.ca,
        polling_seconds=0.05,
    )


_LOCAL_IDENTITY = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/imagebake"


def _destination(site: Site, identity: str, mirror_url: str) -> Destination:
    return Destination(
        gallery=site.settings.gallery,
        identity=identity,
        mirror_url=mirror_url,
        commit=commit_of(site.workspace.root),
    )


def commit_of(root: Path) -> str | None:
    """The commit that the repository at *root* is at; None outside of any."""
    outcome = process.run(["git", "-C", root, "rev-parse", "HEAD"], check=False)
    return None if outcome.code else outcome.text.strip()


def patience() -> Patience:
    """The real clock and the real dice."""
    return Patience(clock=time.monotonic, sleep=time.sleep, dice=random.SystemRandom().random)


def downloader(site: Site, proxies: Mapping[str, str]) -> Downloader:
    """Downloads as this machine makes them."""
    return Downloader(
        connections=Connections(
            timeout=_SILENCE_SECONDS, proxies=proxies, context=ssl.create_default_context()
        ),
        max_bytes=_mebibytes(site.settings.max_artifact_mb),
        pause=time.sleep,
    )


def fetcher(site: Site) -> Callable[[str, str | None], Path]:
    """What brings the files that image templates name: into the mirror, by their digest."""
    store = DirectoryStore(site.workspace.mirror)

    def fetch(url: str, sha256: str | None) -> Path:
        loader = downloader(site, {})
        if sha256 is None:
            limit = _mebibytes(site.settings.max_artifact_mb)
            return store.path(store.put(loader.read(url, reach=PUBLIC, limit=limit)))
        target = store.path(sha256)
        if not target.exists():
            loader.fetch(Wanted(url=url, sha256=sha256), target, reach=PUBLIC)
        return target

    return fetch


def archives(site: Site) -> Archives:
    """The archives that this machine, or a setting, names."""
    machine = read_configuration()
    return find_archives(
        site.settings,
        machine,
        downloader=downloader(site, machine.proxies),
        cache=site.workspace.state / "indexes",
    )


def mirror(site: Site, known: Archives | None = None, lock: Lock | None = None) -> Mirror:
    """The mirror of this workspace; *lock*'s repositories are fetched from *known* archives."""
    proxies = read_configuration().proxies if known else {}
    return Mirror(
        store=DirectoryStore(site.workspace.mirror),
        addresses=known.addresses(lock) if known and lock else {},
        downloader=downloader(site, proxies),
    )


def _mebibytes(text: str) -> int:
    try:
        return int(text) << 20
    except ValueError:
        raise ArtifactError(
            f"the setting max_artifact_mb is {text!r}", hint="it is a whole number of MiB"
        ) from None
