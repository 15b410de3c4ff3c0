"""The composition root's second half: which Azure is spoken to, and with which hands."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from imagebake.azure.blob.address import mirror_address
from imagebake.azure.blob.containers import Container
from imagebake.azure.client.clients import Clients
from imagebake.azure.client.endpoint import Endpoint
from imagebake.azure.client.identity import LoopbackCredential, azure_credential
from imagebake.azure.client.retry import Patience
from imagebake.azure.image_builder.build_logs import PackerLogs
from imagebake.kernel.context import Site
from imagebake.kernel.errors import CloudError, UsageError
from imagebake.kernel.host import process
from imagebake.kernel.progress import Progress
from imagebake.lab.local_cloud import LocalEnd, local_end, make_engine
from imagebake.lock.artifact_sources import fetcher
from imagebake.spec.plan import BakePlan

AZURE = "https://management.azure.com"
LOCAL_MIRROR = "file:///run/imagebake/mirror"


MirrorOpener = Callable[[], AbstractContextManager[Container]]


class Images(Protocol):
    """The contents of image versions, where they can be read from here."""

    def content(self, version_id: str) -> str | None:
        """The digest of a version's root file system, where it is known."""

    def open_tar(self, version_id: str) -> AbstractContextManager[BinaryIO]:
        """The root file system of a version as a tar, to be read to its end."""

    def layers(self, version_id: str) -> AbstractContextManager[tuple[Path, ...]]:
        """The directories of a version's root file system, the topmost first."""

    def export_vhd(self, version_id: str, out: Path, *, size_gib: int) -> None:
        """Write the disk of a version to *out* as a fixed VHD."""

    def disk(self, version_id: str, *, size_gib: int) -> AbstractContextManager[Path]:
        """The disk of a version as `export_vhd` writes it, in a directory that goes with it."""


class Logs(Protocol):
    """The output of builds, by the name of their image template."""

    def read(self, template: str, offset: int) -> bytes:
        """What the last run has said, from *offset* on; nothing where there is nothing yet."""

    def keep(self, template: str) -> Path | None:
        """Put it where it outlives the template, and say where."""


@dataclass(frozen=True, slots=True)
class LocalLogs:
    """Files that the emulator keeps anyway."""

    find: Callable[[str], Path | None]

    def read(self, template: str, offset: int) -> bytes:
        """See `Logs`."""
        path = self.find(template)
        if path is None or not path.is_file():
            return b""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()

    def keep(self, template: str) -> Path | None:
        """See `Logs`."""
        return self.find(template)


@dataclass(frozen=True, slots=True)
class AzureLogs:
    """Blobs that go with their template; what cannot be read fails no bake."""

    blobs: PackerLogs
    folder: Path
    progress: Progress

    def read(self, template: str, offset: int) -> bytes:
        """See `Logs`."""
        return self.blobs.read(template, offset)

    def keep(self, template: str) -> Path | None:
        """See `Logs`."""
        try:
            return self.blobs.keep(template, self.folder)
        except CloudError as error:
            self.progress.note(f"the build's log is not kept: {error.message}")
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One Azure, or the emulator, with everything that a bake needs of it.

    *mirror* opens the mirror in the cloud, and is None where builds read the one that is
    here. *logs* are of the builds. *local* is there where incidents can be made, which is on
    this machine only.
    """

    cloud: Clients
    destination: Destination
    bases: Bases
    images: Images
    logs: Logs
    mirror: MirrorOpener | None = None
    local: LocalEnd | None = None


class InAzure:
    """What is in Azure and stays there: marketplace images, and the contents of versions."""

    def offer(self, plan: BakePlan) -> None:
        """Do nothing: Azure has its marketplace images."""

    def content(self, version_id: str) -> None:
        """Not known: the build machine is gone."""

    def open_tar(self, version_id: str) -> AbstractContextManager[BinaryIO]:
        """Refuse, because only the build could read it."""
        raise _out_of_reach(version_id)

    def layers(self, version_id: str) -> AbstractContextManager[tuple[Path, ...]]:
        """Refuse, as `open_tar` does."""
        raise _out_of_reach(version_id)

    def export_vhd(self, version_id: str, out: Path, *, size_gib: int) -> None:
        """Refuse, as `open_tar` does."""
        del out, size_gib
        raise _out_of_reach(version_id)

    def disk(self, version_id: str, *, size_gib: int) -> AbstractContextManager[Path]:
        """Refuse, as `open_tar` does."""
        del size_gib
        raise _out_of_reach(version_id)


def _out_of_reach(version_id: str) -> UsageError:
    return UsageError(
        f"what is in version {version_id.rpartition('/')[2]} is in Azure, out of reach",
        hint="its validators ran in the build; what was baked here can be read",
    )


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
        credential=azure_credential(os.environ, time.time, patience(), site.progress.note),
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
            logs=AzureLogs(PackerLogs(cloud), site.workspace.logs, site.progress),
            mirror=functools.partial(mirror_container, site),
        )


def mirror_container(site: Site) -> Container:
    """The container that Azure builds install from, as the environment's identity sees it."""
    address = mirror_address(site.settings.mirror_url)
    return Container(address, azure_credential(os.environ, time.time, patience()), patience())


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
                logs=LocalLogs(lambda name: here.emulator.run_log(endpoint.template_id(name))),
                local=here,
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
        build_identity=site.settings.build_identity,
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


class Bases(Protocol):
    """Who must know how a source image is made, before it is asked for."""

    def offer(self, plan: BakePlan) -> None:
        """Learn the recipe of *plan*'s source image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where versions go and whose they are: facts of the machine, not of the image.

    *emergency* is why a bake was not to wait for anybody.
    """

    gallery: str
    identity: str
    mirror_url: str
    commit: str | None = None
    emergency: str | None = None
    build_identity: str = ""
