"""Build an image template on this machine, as Azure Image Builder builds it in Azure."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from imagebake.kernel.digest import canonical_json, sha256_json
from imagebake.kernel.host import files, namespaces
from imagebake.kernel.host.namespaces import Sandbox
from imagebake.lab.engine import base as scaffold
from imagebake.lab.engine import vhd
from imagebake.lab.engine.base import make_base
from imagebake.lab.engine.errors import Cancelled, EngineFailed, UnsupportedTemplate
from imagebake.lab.engine.layers import CREATE_USER, GENERALISE, Runner, Stack, validate
from imagebake.lab.engine.log import AzureLog, Sink
from imagebake.lab.engine.recipe import BaseMarketplace, BaseRecipe
from imagebake.lab.engine.store import Layer, LayerStore, disk_full_errors
from imagebake.lab.engine.template import (
    BuildStep,
    Fetch,
    build_step,
    ignored_parts,
    unsupported_reason,
    verify_download,
)

_CHUNK = 1 << 20
_EMPTIED = ("dev", "proc", "run", "sys", "tmp")
"""Directories whose content belongs to the running machine, not to the image."""


@contextlib.contextmanager
def open_tar(store: LayerStore, image: Sequence[Path], *, epoch: int) -> Iterator[BinaryIO]:
    """Open the root file system of *image* (layers, topmost first) as a sorted tar stream.

    Owners are numeric, times later than *epoch* become *epoch*, extended attributes and
    capabilities are kept. Sockets are left out, because tar cannot store them.
    """
    with store.temporary_tree("tar") as attempt:
        sandbox = Sandbox(
            argv=("tar", *_arguments(epoch), "-C", str(attempt / "at" / "root"), "."),
            env={"LC_ALL": "C"},
            chroot=False,
            lowers=(attempt / "root", *image),
            at=attempt / "at",
        )
        try:
            with namespaces.stream(sandbox) as output:
                yield output
        except namespaces.SandboxFailed as error:
            raise EngineFailed(error.message, code="CaptureFailed", hint=error.hint) from error


def measure(output: BinaryIO) -> tuple[str, int]:
    """Read *output* to its end; return its SHA-256 and length."""
    state = hashlib.sha256()
    size = 0
    while chunk := output.read(_CHUNK):
        state.update(chunk)
        size += len(chunk)
    return state.hexdigest(), size


def _arguments(epoch: int) -> list[str]:
    return [
        "--create",
        "--file=-",
        "--format=pax",
        "--blocking-factor=2048",
        # The default header names contain tar's process id; atime and ctime differ between hosts.
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
        "--sort=name",
        "--numeric-owner",
        f"--mtime=@{epoch}",
        "--clamp-mtime",
        "--xattrs",
        "--xattrs-include=security.capability",
        "--xattrs-include=user.*",
        # Bookkeeping of a rootless overlayfs, which is no part of the image.
        "--xattrs-exclude=user.overlay.*",
        "--warning=no-file-ignored",
        "--anchored",
        *(f"--exclude=./{name}/*" for name in _EMPTIED),
    ]


VERSION = "1"
"""Part of every key: another version of the engine rebuilds everything."""

_CREATE_USER = BuildStep(
    name="Create the build user", provisioner="shell", content=CREATE_USER.encode(), user="root"
)
_DEFAULT_MINUTES = 240
_MOST_STEPS = 480
"""overlayfs stacks at most 500 layers, and some are the engine's own."""

Record = dict[str, Any]
"""The record of an image as JSON: enough to read the image again from the same store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The local builder; bases, layers and their records are in *folder*.

    *network* gives the network to steps that do not ask for it. *mirror*, if any, is mounted
    read-only at `/run/imagebake/mirror` in every step. With a *clock*, logs have the format of
    Azure's; without, they are the output alone.
    """

    folder: Path
    mirror: Path | None
    marketplace: BaseMarketplace
    fetch: Fetch
    network: bool = False
    clock: Callable[[], dt.datetime] | None = None

    @property
    def store(self) -> LayerStore:
        """The store of bases and layers."""
        return LayerStore(self.folder.absolute())

    def build(
        self,
        template: Mapping[str, Any],
        *,
        log: Path,
        on_state: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Record:
        """Build *template*, an ARM body, and return the record of the image.

        Raises `EngineFailed`. The output of every step is appended to *log*; *on_state* is called
        with Azure's run sub-states.
        """
        properties = template.get("properties", {})
        engine = replace(self, mirror=self.mirror and self.mirror.absolute())
        self.store.sweep()
        log.parent.mkdir(parents=True, exist_ok=True)
        with (
            disk_full_errors(self.folder),
            self.store.in_use(),
            _deadline(properties, cancelled) as stop,
            log.open("a", encoding="utf-8") as out,
        ):
            sink = AzureLog(out, log.parent.name, self.clock) if self.clock else out
            return _Build(engine, properties, sink, on_state, stop).run()

    @contextmanager
    def open_tar(self, record: Mapping[str, Any]) -> Iterator[BinaryIO]:
        """Open the root file system of *record* as a reproducible tar; read it to its end."""
        with (
            self.store.in_use(),
            open_tar(self.store, self.image(record), epoch=record["epoch"]) as output,
        ):
            yield output

    def export_vhd(
        self,
        record: Mapping[str, Any],
        out: Path,
        *,
        size: int | None = None,
        bootable: bool = True,
    ) -> int:
        """Write the image of *record* to *out* as a fixed VHD; see `vhd.export_vhd`."""
        with self.store.in_use():
            wanted = vhd.ExportedImage(
                layers=self.image(record),
                content_sha256=record["content_sha256"],
                content_bytes=record["content_bytes"],
                epoch=record["epoch"],
                architecture=record["architecture"],
            )
            return vhd.export_vhd(self.store, wanted, out, size=size, bootable=bootable)

    def image(self, record: Mapping[str, Any]) -> tuple[Path, ...]:
        """Return the layers of *record*, topmost first; raises `EngineFailed` if one is gone."""
        keys = [record["base"], *record["layers"]]
        layers = [self.store.layer(key) for key in keys]
        gone = [key for key, layer in zip(keys, layers, strict=True) if layer is None]
        if gone:
            raise EngineFailed(
                f"layer {gone[0][:12]} of the image is no longer on this machine",
                code="ImageGone",
                hint="bake it again with --force",
            )
        return tuple(layer.root for layer in reversed(layers) if layer)


@dataclass(frozen=True, slots=True)
class _Build:
    engine: Engine
    properties: Mapping[str, Any]
    log: Sink
    on_state: Callable[[str], None]
    stop: Callable[[], bool]

    def run(self) -> Record:
        self.on_state("Building")
        recipe = self._recipe()
        for words in ignored_parts(self.properties):
            print(f"==> not done on this machine: {words}", file=self.log, flush=True)
        checks = self.properties.get("validate") or {}
        source_only = bool(checks.get("sourceValidationOnly"))
        customizers = () if source_only else self._steps(self.properties.get("customize"))
        validators = self._steps(checks.get("inVMValidations"))
        runner = Runner(
            store=self.engine.store,
            mirror=self.engine.mirror,
            epoch=recipe.epoch,
            log=self.log,
            cancelled=self.stop,
        )
        stack = self._base(recipe)
        key = sha256_json([VERSION, stack.base.key, stack.unplugged.key])
        if not source_only:
            self.on_state("Customizing")
            for step in (_CREATE_USER, *customizers, *GENERALISE):
                layer = runner.layer(stack, step, key)
                stack, key = stack.over(layer), layer.key
        failure = None
        if validators:
            self.on_state("Validating")
            failure = validate(runner, stack, validators, key, _CREATE_USER)
            if failure and not checks.get("continueDistributeOnFailure"):
                raise failure
        self.on_state("Distributing")
        record = self._record(recipe, stack, key)
        if failure:
            failure.record = record
            raise failure
        print("Finalizing.", file=self.log, flush=True)
        return record

    def _recipe(self) -> BaseRecipe:
        recipe = self.engine.marketplace.find(self.properties.get("source") or {})
        if reason := unsupported_reason(self.properties, recipe):
            files = sum(self._fetched())
            checked = f"; checksums of files that are right: {files}" if files else ""
            raise UnsupportedTemplate(
                reason + checked,
                code="UnsupportedCustomizerType" if recipe else "BadPIRSource",
                hint="Azure can: IMAGEBAKE_CLOUD=azure",
            )
        assert recipe  # noqa: S101 - without one there is a reason
        return recipe

    def _fetched(self) -> Iterator[bool]:
        """Fetch and check every file that the template names, although no step will use it."""
        checks = self.properties.get("validate") or {}
        for described in (self.properties.get("customize"), checks.get("inVMValidations")):
            for number, customizer in enumerate(described or (), 1):
                yield verify_download(
                    customizer, number, fetch=self.engine.fetch, mirror=self.engine.mirror
                )

    def _steps(self, described: Any) -> tuple[BuildStep, ...]:  # noqa: ANN401 - JSON of the wire
        if described and len(described) > _MOST_STEPS:
            raise EngineFailed(
                f"the template has {len(described)} steps, and this builder takes {_MOST_STEPS}"
            )
        return tuple(
            build_step(
                customizer,
                number,
                fetch=self.engine.fetch,
                mirror=self.engine.mirror,
                network=self.engine.network,
            )
            for number, customizer in enumerate(described or (), 1)
        )

    def _base(self, recipe: BaseRecipe) -> Stack:
        store = self.engine.store

        def make(attempt: Path) -> dict[str, Any]:
            print("==> base: making it from packages", file=self.log, flush=True)
            return make_base(
                recipe, attempt, mirror=self.engine.mirror, log=self.log, cancelled=self.stop
            )

        def make_scaffold(*, network: bool) -> Layer:
            content = scaffold.scaffold_files(recipe, network=network)
            return store.obtain(
                scaffold.scaffold_digest(content),
                lambda attempt: scaffold.write_scaffold(content, attempt),
                cancelled=self.stop,
            )

        base = store.obtain(
            sha256_json([VERSION, "base", recipe.digest]), make, cancelled=self.stop
        )
        return Stack(
            base=base, unplugged=make_scaffold(network=False), plugged=make_scaffold(network=True)
        )

    def _record(self, recipe: BaseRecipe, stack: Stack, key: str) -> Record:
        """Measure the image, unless exactly these layers were measured before."""
        store = self.engine.store
        path = self.engine.folder / "content" / f"{key}.json"
        try:
            measured = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            if self.stop():
                # Measuring reads the whole image: a cancelled build does not start it.
                raise Cancelled from None
            with open_tar(store, stack.image, epoch=recipe.epoch) as output:
                digest, size = measure(output)
            measured = {"content_sha256": digest, "content_bytes": size}
            files.write_atomically(path, canonical_json(measured))
        layers = [layer.key for layer in stack.layers]
        store.persist((stack.base.key, *layers))
        return {
            "engine": VERSION,
            "base": stack.base.key,
            "layers": layers,
            "key": key,
            "suite": recipe.suite,
            "architecture": recipe.architecture,
            "epoch": recipe.epoch,
            **measured,
        }


@contextmanager
def _deadline(
    properties: Mapping[str, Any], cancelled: Callable[[], bool]
) -> Iterator[Callable[[], bool]]:
    """Stop at *cancelled*, or fail once the template's build timeout has passed."""
    minutes = float(properties.get("buildTimeoutInMinutes") or _DEFAULT_MINUTES)
    late = threading.Event()
    timer = threading.Timer(minutes * 60, late.set)
    timer.daemon = True
    timer.start()
    try:
        yield lambda: late.is_set() or cancelled()
    except Cancelled as error:
        if not late.is_set():
            raise
        raise EngineFailed(
            f"the build took longer than its {minutes:g} minutes",
            code="BuildTimeout",
            hint="raise buildTimeoutInMinutes",
        ) from error
    finally:
        timer.cancel()
