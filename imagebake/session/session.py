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
from imagebake.azure.compute import image_history
from imagebake.azure.image_builder.build_logs import PackerLogs
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.kernel.context import Context
from imagebake.kernel.errors import CloudError, UsageError
from imagebake.kernel.host import process
from imagebake.kernel.progress import Progress
from imagebake.lab.local_cloud import LocalBackend, make_engine, open_local_backend
from imagebake.lock.artifact_sources import make_fetcher
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan

AZURE = "https://management.azure.com"
LOCAL_MIRROR = "file:///run/imagebake/mirror"


MirrorOpener = Callable[[], AbstractContextManager[Container]]


class VersionContents(Protocol):
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


class BuildLogs(Protocol):
    """The output of builds, by the name of their image template."""

    def read(self, template: str, offset: int) -> bytes:
        """What the last run has said, from *offset* on; nothing where there is nothing yet."""

    def keep(self, template: str) -> Path | None:
        """Put it where it outlives the template, and say where."""


@dataclass(frozen=True, slots=True)
class LocalBuildLogs:
    """Files that the emulator keeps anyway."""

    find: Callable[[str], Path | None]

    def read(self, template: str, offset: int) -> bytes:
        """See `BuildLogs`."""
        path = self.find(template)
        if path is None or not path.is_file():
            return b""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()

    def keep(self, template: str) -> Path | None:
        """See `BuildLogs`."""
        return self.find(template)


@dataclass(frozen=True, slots=True)
class AzureBuildLogs:
    """Blobs that go with their template; what cannot be read fails no bake."""

    blobs: PackerLogs
    folder: Path
    progress: Progress

    def read(self, template: str, offset: int) -> bytes:
        """See `BuildLogs`."""
        return self.blobs.read(template, offset)

    def keep(self, template: str) -> Path | None:
        """See `BuildLogs`."""
        try:
            return self.blobs.keep(template, self.folder)
        except CloudError as error:
            self.progress.note(f"the build's log is not kept: {error.message}")
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSession:
    """One Azure, or the emulator, with everything that a bake needs of it.

    *mirror* opens the mirror in the cloud, and is None where builds read the one that is
    here. *logs* are of the builds. *local* is there where incidents can be made, which is on
    this machine only.
    """

    cloud: Clients
    destination: Destination
    bases: SourceImages
    images: VersionContents
    logs: BuildLogs
    mirror: MirrorOpener | None = None
    local: LocalBackend | None = None


class AzureBackend:
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
def connect(context: Context) -> Iterator[CloudSession]:
    """Speak to the Azure that the settings name, until the context is left."""
    choose = {"local": _local, "azure": _azure}[context.settings.cloud]
    with choose(context) as session:
        yield session


@contextlib.contextmanager
def _azure(context: Context) -> Iterator[CloudSession]:
    endpoint = Endpoint(
        base_url=AZURE,
        scopes=(f"{AZURE}/.default",),
        credential=azure_credential(os.environ, time.time, retry_clock(), context.progress.note),
        subscription=context.settings.subscription,
        resource_group=context.settings.resource_group,
        location=context.settings.location,
    )
    with Clients(endpoint, retry_clock()) as cloud:
        yield CloudSession(
            cloud=cloud,
            destination=_destination(
                context, context.settings.identity, context.settings.mirror_url
            ),
            bases=AzureBackend(),
            images=AzureBackend(),
            logs=AzureBuildLogs(PackerLogs(cloud), context.workspace.logs, context.progress),
            mirror=functools.partial(mirror_container, context),
        )


def mirror_container(context: Context) -> Container:
    """The container that Azure builds install from, as the environment's identity sees it."""
    address = mirror_address(context.settings.mirror_url)
    return Container(address, azure_credential(os.environ, time.time, retry_clock()), retry_clock())


@contextlib.contextmanager
def _local(context: Context) -> Iterator[CloudSession]:
    settings = context.settings
    engine = make_engine(context.workspace, make_fetcher(context))
    with open_local_backend(context.workspace, settings, engine) as here:
        endpoint = local_endpoint(context, here)
        with Clients(endpoint, retry_clock()) as cloud:
            identity = settings.identity or f"{endpoint.group_id}{_LOCAL_IDENTITY}"
            yield CloudSession(
                cloud=cloud,
                destination=_destination(context, identity, LOCAL_MIRROR),
                bases=here.bases,
                images=here,
                logs=LocalBuildLogs(lambda name: here.emulator.run_log(endpoint.template_id(name))),
                local=here,
            )


def local_endpoint(context: Context, here: LocalBackend) -> Endpoint:
    """The emulator as the Azure clients see it."""
    url = here.emulator.url
    return Endpoint(
        base_url=url,
        scopes=(f"{url}/.default",),
        credential=LoopbackCredential(),
        subscription=context.settings.subscription,
        resource_group=context.settings.resource_group,
        location=context.settings.location,
        ca=here.emulator.ca,
        polling_seconds=0.05,
    )


_LOCAL_IDENTITY = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/imagebake"


def _destination(context: Context, identity: str, mirror_url: str) -> Destination:
    return Destination(
        gallery=context.settings.gallery,
        identity=identity,
        build_identity=context.settings.build_identity,
        mirror_url=mirror_url,
        commit=head_commit(context.workspace.root),
    )


def head_commit(root: Path) -> str | None:
    """The commit that the repository at *root* is at; None outside of any."""
    outcome = process.run(["git", "-C", root, "rev-parse", "HEAD"], check=False)
    return None if outcome.code else outcome.text.strip()


def retry_clock() -> Patience:
    """The real clock and the real dice."""
    return Patience(clock=time.monotonic, sleep=time.sleep, dice=random.SystemRandom().random)


class SourceImages(Protocol):
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


def list_versions(
    context: Context, spec: ImageSpec, session: CloudSession
) -> tuple[image_history.VersionRow, ...]:
    return image_history.versions(
        spec.gallery.definition,
        now=context.now,
        gallery=context.settings.gallery,
        cloud=session.cloud,
    )


def find_version(
    context: Context, spec: ImageSpec, wanted: str | None, session: CloudSession
) -> GalleryVersion:
    """The version *wanted* of *spec*, or its newest; raises `UsageError` when there is none."""
    version, _ = image_history.find_version(
        spec.gallery.definition,
        wanted or newest_version(context, spec, session),
        gallery=context.settings.gallery,
        cloud=session.cloud,
    )
    return version


def newest_version(context: Context, spec: ImageSpec, session: CloudSession) -> str:
    """The number of the newest usable version of *spec*, hidden or not."""
    healthy = [row for row in list_versions(context, spec, session) if row.version.healthy]
    if not healthy:
        raise UsageError(f"there is no version of {spec.name} yet", hint=f"./inv bake {spec.name}")
    return str(healthy[0].version.version)
