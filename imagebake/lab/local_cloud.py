"""Azure on this machine: the emulator, with the engine and local machines behind it."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from imagebake.emulator.image_builder.builder import BuildFailed
from imagebake.emulator.machines.marketplace import Marketplace as Offered
from imagebake.emulator.outages import FILE, Outages
from imagebake.emulator.server import Emulator
from imagebake.kernel.context import Workspace
from imagebake.kernel.errors import ArtifactError, UsageError
from imagebake.kernel.host.namespaces import rootless
from imagebake.kernel.settings import Settings
from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.errors import EngineFailed, UnsupportedTemplate
from imagebake.lab.engine.recipe import BaseMarketplace, BaseRecipe
from imagebake.lab.engine.template import Fetch
from imagebake.lab.faults import IdentityState, StoreState
from imagebake.lab.vm_host import VmHost
from imagebake.spec.lock import Bundle
from imagebake.spec.model.source import GalleryVersionSource, ManagedImage
from imagebake.spec.plan import BakePlan

_ACCEPTED = "All else is in order: the template's fields, its source and its destinations"


@dataclass(frozen=True, slots=True)
class EngineBuilder:
    """Runs the emulator's builds in the engine, and translates its failures."""

    engine: Engine

    def build(
        self,
        template: Mapping[str, Any],
        *,
        log: Path,
        on_state: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Mapping[str, Any]:
        """Build *template*; raises `BuildFailed` with the last output of the failed step."""
        try:
            return self.engine.build(template, log=log, on_state=on_state, cancelled=cancelled)
        except UnsupportedTemplate as error:
            message = f"{error.message}. {_ACCEPTED}\n= hint: {error.hint}"
            raise BuildFailed(error.code, message) from error
        except EngineFailed as error:
            hint = f"\n= hint: {error.hint}" if error.hint else ""
            raise BuildFailed(error.code, error.message + hint, record=error.record) from error
        except ArtifactError as error:  # a file that the template names
            raise BuildFailed("ArtifactUnavailable", error.message) from error


@dataclass(frozen=True, slots=True)
class LocalBases:
    """Makes the base of a lock stand in for the marketplace image that its spec names."""

    marketplace: BaseMarketplace

    def register(self, plan: BakePlan) -> None:
        """Offer the base of *plan*; offering the same base again changes nothing."""
        if (
            plan.spec.local is None or plan.lock.suite is None
        ):  # no base can stand in, as for Windows
            return
        base = plan.lock.base
        recipe = BaseRecipe(
            suite=plan.lock.suite,
            architecture=plan.lock.architecture,
            packages=tuple(f"{package.name}={package.version}" for package in base.packages),
            bundle=Bundle(base.packages).digest,
        )
        self.marketplace.register(template_source(plan), recipe)


def template_source(plan: BakePlan) -> dict[str, str]:
    """Return the `source` of the image template, as the API spells it."""
    match plan.lock.source:
        case ManagedImage(managed_image=image):
            return {"type": "ManagedImage", "imageId": image}
        case GalleryVersionSource(gallery_version=version):
            return {"type": "SharedImageVersion", "imageVersionId": version}
        case source:
            named = {key: getattr(source, key) for key in ("publisher", "offer", "sku", "version")}
            return {"type": "PlatformImage", **named}


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """The running emulator, the engine with its images, and the host of its machines."""

    emulator: Emulator
    engine: Engine
    vm_host: VmHost

    @property
    def bases(self) -> LocalBases:
        """The place where a bake offers the base of its lock."""
        return LocalBases(self.engine.marketplace)

    def content(self, version_id: str) -> str | None:
        """Return the digest of a version's root file system; None if it was made elsewhere."""
        record = self.emulator.image_record(version_id)
        return str(record["content_sha256"]) if record else None

    @contextlib.contextmanager
    def open_tar(self, version_id: str) -> Iterator[BinaryIO]:
        """Open the root file system of a version as a tar; read it to its end."""
        with self.engine.open_tar(self._record(version_id)) as stream:
            yield stream

    @contextlib.contextmanager
    def layers(self, version_id: str) -> Iterator[tuple[Path, ...]]:
        """Provide the directories of a version's root file system, topmost first.

        They stay in place while the context is open.
        """
        with layers_of(self.engine, self._record(version_id)) as layers:
            yield layers

    def export_vhd(self, version_id: str, out: Path, *, size_gib: int) -> None:
        """Write the disk of a version to *out* as a fixed VHD."""
        self.engine.export_vhd(self._record(version_id), out, size=size_gib << 30)

    @contextlib.contextmanager
    def disk(self, version_id: str, *, size_gib: int) -> Iterator[Path]:
        """Provide the disk of a version, as `export_vhd` writes it, in a temporary directory.

        Directories that a killed process left are removed first.
        """
        self.engine.store.sweep()
        with self.engine.store.temporary_tree("boot") as folder:
            disk = folder / "disk.vhd"
            self.export_vhd(version_id, disk, size_gib=size_gib)
            yield disk

    def _record(self, version_id: str) -> Mapping[str, Any]:
        record = self.emulator.image_record(version_id)
        if record is None:
            raise UsageError(
                f"version {version_id.rpartition('/')[2]} was not built on this machine",
                hint="only what the engine built can be read here",
            )
        return record


@contextlib.contextmanager
def layers_of(engine: Engine, record: Mapping[str, Any]) -> Iterator[tuple[Path, ...]]:
    """Provide the layers of the image of *record*, in place while the context is open."""
    with engine.store.in_use():
        yield engine.image(record)


def make_engine(workspace: Workspace, fetch: Fetch, *, network: bool = False) -> Engine:
    """Make the engine of *workspace*; with *network*, steps have it unless they refuse it."""
    return Engine(
        folder=workspace.engine,
        mirror=workspace.mirror,
        marketplace=BaseMarketplace(workspace.engine / "marketplace"),
        fetch=fetch,
        network=network,
        clock=functools.partial(dt.datetime.now, dt.UTC),
    )


def read_marketplace(workspace: Workspace, settings: Settings) -> Offered:
    """Read the file of marketplace offers that the settings name; empty if they name none.

    It has `images` by `PUBLISHER:OFFER:SKU` and `extensions` by `PUBLISHER:TYPE`; each maps
    versions to their properties, of which `regions` lists where a version is published.
    """
    if not settings.marketplace:
        return Offered()
    path = workspace.root / settings.marketplace
    try:
        document = dict(json.loads(path.read_bytes()))
        read = {
            kind: {tuple(name.split(":")): dict(offer) for name, offer in offers.items()}
            for kind, offers in document.items()
        }
        return Offered(**read)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"the setting marketplace is {settings.marketplace!r}, which cannot be used: {error}",
            hint="docs/how-to/pins.md shows such a file",
        ) from error


def read_outages(folder: Path) -> Outages:
    """Read the injected outages of the emulator in *folder*; raises `UsageError` if it cannot."""
    try:
        found = Outages.read(folder)
        StoreState(found.store), IdentityState(found.identity)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{folder / FILE} cannot be used: {error}", hint="./inv outage over takes it away"
        ) from error
    return found


@contextlib.contextmanager
def open_local_backend(
    workspace: Workspace, settings: Settings, engine: Engine, *, port: int = 0
) -> Iterator[LocalBackend]:
    """Run the emulator with *engine* behind it until the context is left.

    Its machines really boot if this process is root; otherwise they are inventory only.
    """
    vm_host = VmHost(
        functools.partial(layers_of, engine), now=functools.partial(dt.datetime.now, dt.UTC)
    )
    broken = read_outages(workspace.emulator)
    vm_host.set_store(StoreState(broken.store))
    vm_host.set_identity(IdentityState(broken.identity))
    emulator = Emulator(
        workspace.emulator,
        builder=EngineBuilder(engine),
        host=None if rootless() else vm_host,
        subscription=settings.subscription,
        resource_group=settings.resource_group,
        location=settings.location,
        port=port,
        marketplace=read_marketplace(workspace, settings),
    )
    with emulator:
        yield LocalBackend(emulator, engine, vm_host)
