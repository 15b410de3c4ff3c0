"""Sessions with Azure or the local emulator: the only place that chooses between them."""

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
from imagebake.azure.blob.containers import BlobContainer
from imagebake.azure.client.clients import Clients
from imagebake.azure.client.endpoint import Endpoint
from imagebake.azure.client.identity import LoopbackCredential, azure_credential
from imagebake.azure.client.retry import RetryClock
from imagebake.azure.compute import image_history
from imagebake.azure.image_builder.build_logs import PackerLogs
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.kernel.context import Context
from imagebake.kernel.errors import CloudError, UsageError
from imagebake.kernel.host.git import head_commit
from imagebake.kernel.progress import Progress
from imagebake.lab.local_cloud import LocalBackend, make_engine, open_local_backend
from imagebake.lock.artifact_sources import make_fetcher
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.plan import BakePlan

AZURE = "https://management.azure.com"
LOCAL_MIRROR = "file:///run/imagebake/mirror"


MirrorOpener = Callable[[], AbstractContextManager[BlobContainer]]


class VersionContents(Protocol):
    """Reader of the contents of image versions."""

    def content(self, version_id: str) -> str | None:
        """Return the digest of a version's root file system; None where it is not known."""

    def open_tar(self, version_id: str) -> AbstractContextManager[BinaryIO]:
        """Open the root file system of a version as a tar stream."""

    def layers(self, version_id: str) -> AbstractContextManager[tuple[Path, ...]]:
        """Return the layers of a version's root file system as directories, topmost first."""

    def export_vhd(self, version_id: str, out: Path, *, size_gib: int) -> None:
        """Write the disk of a version to *out* as a fixed VHD."""

    def disk(self, version_id: str, *, size_gib: int) -> AbstractContextManager[Path]:
        """Export the disk of a version into a directory that is deleted on exit."""


class BuildLogs(Protocol):
    """Logs of builds, by the name of their image template."""

    def read(self, template: str, offset: int) -> bytes:
        """Return the log of the last run from *offset* on; empty where there is nothing yet."""

    def keep(self, template: str) -> Path | None:
        """Save the log where it outlives the template, and return its path."""


@dataclass(frozen=True, slots=True)
class LocalBuildLogs:
    """Log files of the emulator, which outlive their template."""

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
    """Log blobs, which Azure deletes with their template; an unreadable log fails no bake."""

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
    """A connection to Azure or to the emulator, with the services of that cloud.

    *mirror* opens the remote mirror; it is None where builds read the mirror on this machine.
    *local* is the emulator's host, where outages can be provoked; None in Azure.
    """

    cloud: Clients
    destination: Destination
    bases: SourceImages
    images: VersionContents
    logs: BuildLogs
    mirror: MirrorOpener | None = None
    local: LocalBackend | None = None


class AzureBackend:
    """Azure's side of `SourceImages` and `VersionContents`: nothing of it can be read from here."""

    def register(self, plan: BakePlan) -> None:
        """Do nothing: the marketplace has the source images."""

    def content(self, version_id: str) -> None:
        """Return None: the build machine, which could compute it, is deleted."""

    def open_tar(self, version_id: str) -> AbstractContextManager[BinaryIO]:
        """Raise `UsageError`: a gallery version cannot be read without a machine made from it."""
        raise _out_of_reach(version_id)

    def layers(self, version_id: str) -> AbstractContextManager[tuple[Path, ...]]:
        """Raise `UsageError`, as `open_tar` does."""
        raise _out_of_reach(version_id)

    def export_vhd(self, version_id: str, out: Path, *, size_gib: int) -> None:
        """Raise `UsageError`, as `open_tar` does."""
        del out, size_gib
        raise _out_of_reach(version_id)

    def disk(self, version_id: str, *, size_gib: int) -> AbstractContextManager[Path]:
        """Raise `UsageError`, as `open_tar` does."""
        del size_gib
        raise _out_of_reach(version_id)


def _out_of_reach(version_id: str) -> UsageError:
    return UsageError(
        f"the contents of version {version_id.rpartition('/')[2]} cannot be read: its disk is only"
        " in Azure",
        hint="its validators ran in the build; what was baked here can be read",
    )


@contextlib.contextmanager
def connect(context: Context) -> Iterator[CloudSession]:
    """Open a session with the cloud that the settings name; it is closed on exit."""
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


def mirror_container(context: Context) -> BlobContainer:
    """Return the container of the remote mirror, with the environment's credential."""
    address = mirror_address(context.settings.mirror_url)
    return BlobContainer(
        address, azure_credential(os.environ, time.time, retry_clock()), retry_clock()
    )


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
    """Return the endpoint at which the Azure clients reach the emulator."""
    url = here.emulator.url
    return Endpoint(
        base_url=url,
        scopes=(f"{url}/.default",),
        credential=LoopbackCredential(),
        subscription=context.settings.subscription,
        resource_group=context.settings.resource_group,
        location=context.settings.location,
        ca=here.emulator.ca,
        # A step of the emulator takes milliseconds, where Azure asks for seconds between polls.
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


def retry_clock() -> RetryClock:
    """Return the clock, sleep and jitter of this machine."""
    return RetryClock(clock=time.monotonic, sleep=time.sleep, jitter=random.SystemRandom().random)


class SourceImages(Protocol):
    """Registry of source images that a build may start from."""

    def register(self, plan: BakePlan) -> None:
        """Register the source image of *plan*, and how it is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Gallery, identities and mirror of a bake: facts of the cloud, not of the image.

    *commit* is the commit of the specs. *emergency* is why the bake did not wait for a review.
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
    """Return the versions of *spec*'s image in the gallery, newest first."""
    return image_history.versions(
        spec.gallery.definition,
        now=context.now,
        gallery=context.settings.gallery,
        cloud=session.cloud,
    )


def find_version(
    context: Context, spec: ImageSpec, wanted: str | None, session: CloudSession
) -> GalleryVersion:
    """Return version *wanted* of *spec*, or its newest; raises `UsageError` for none."""
    version, _ = image_history.find_version(
        spec.gallery.definition,
        wanted or newest_version(context, spec, session),
        gallery=context.settings.gallery,
        cloud=session.cloud,
    )
    return version


def newest_version(context: Context, spec: ImageSpec, session: CloudSession) -> str:
    """Return the number of the newest healthy version of *spec*, hidden or not."""
    healthy = [row for row in list_versions(context, spec, session) if row.version.healthy]
    if not healthy:
        raise UsageError(f"there is no version of {spec.name} yet", hint=f"./inv bake {spec.name}")
    return str(healthy[0].version.version)
