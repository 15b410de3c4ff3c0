"""Checks of `validate` on baked versions: contents, first boots and disk boots."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from imagebake.azure.model.gallery import GalleryVersion
from imagebake.kernel.context import Context, ensure_programs
from imagebake.kernel.errors import LockError
from imagebake.kernel.host import system_packages
from imagebake.kernel.progress import Step
from imagebake.lab.disk.qemu import EMULATED, KVM, BootAttempt, Hardware, boot
from imagebake.lab.disk.result import BootTrouble, DiskBoot
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.proof_result import ProofScope
from imagebake.lock import artifact_sources
from imagebake.policy.facts import DiskFacts
from imagebake.proof.first_boots import prove_version, record_keeper
from imagebake.proof.validate import (
    ValidationReport,
    merge_reports,
    report_disk,
    report_image,
    report_proof,
)
from imagebake.session.session import CloudSession, connect, find_version
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.lock import Lock
from imagebake.spec.model.image_spec import Architecture, Generation, ImageSpec, SecurityType


def boot_version(
    context: Context, spec: ImageSpec, version: GalleryVersion, session: CloudSession
) -> DiskFacts:
    """Export *version* to a temporary disk, boot it, and keep its console output."""
    subject = f"{spec.name}@{version.version}"
    if why := _hindrance(spec):
        return DiskFacts(spec=spec, subject=subject, boot=None, hindrance=why)
    ensure_programs((*system_packages.EXPORT, *system_packages.BOOT), progress=context.progress)
    with context.progress.step(f"Boot the disk of {subject}") as step:
        try:
            seen, console = _booted(context, spec, version, session, step)
        except EngineFailed as error:
            if error.code != "NotBootable":
                raise
            seen, console = _unbootable(error, _limit(context)), b""
    name = record_keeper(context, version).keep_boot(seen, console, now=context.now)
    kept = context.workspace.shown(artifact_sources.open_mirror(context).record_path(name))
    return DiskFacts(spec=spec, subject=subject, boot=seen, console=kept if console else "")


def _booted(
    context: Context, spec: ImageSpec, version: GalleryVersion, session: CloudSession, step: Step
) -> tuple[DiskBoot, bytes]:
    with session.images.disk(version.id, size_gib=spec.build.os_disk_gb) as disk:
        hardware = Hardware(
            disk=disk,
            console=disk.with_name("console"),
            scratch=disk.parent,
            secure=spec.gallery.security is not SecurityType.STANDARD,
        )
        attempt = BootAttempt(
            command=hardware.command,
            console=hardware.console,
            scratch=hardware.scratch,
            secure=hardware.secure,
            limit=_limit(context),
        )
        seen = boot(attempt, (KVM, EMULATED), clock=time.monotonic, on_stage=step.note)
        return seen, hardware.console.read_bytes()


def _hindrance(spec: ImageSpec) -> str:
    """Return why the emulated machine cannot boot the image; empty where it can."""
    gallery = spec.gallery
    if gallery.architecture is not Architecture.X64:
        return f"the machine is x64, and the image {gallery.architecture}"
    if gallery.generation is not Generation.V2:
        return f"the machine boots by UEFI, and the image is of generation {gallery.generation}"
    return ""


def _unbootable(error: EngineFailed, limit: float) -> DiskBoot:
    return DiskBoot(
        stages=(), trouble=BootTrouble.UNBOOTABLE, limit=limit, trouble_line=error.message
    )


def _limit(context: Context) -> float:
    return float(context.settings.boot_limit_seconds)


@dataclass(frozen=True, slots=True)
class VersionChecks:
    """Checks of *version*, or of the newest.

    *wish* is None where there are to be no first boots; *boot* is about the disk.
    """

    context: Context
    version: str | None
    wish: ProofScope | None
    boot: bool

    def with_images(
        self, checked: Iterable[tuple[ImageSpec, Lock | None, ValidationReport]]
    ) -> list[ValidationReport]:
        """Join each spec's report with the findings over its version."""
        complete = []
        with connect(self.context) as session:
            for spec, lock, report in checked:
                if lock is None:
                    raise LockError(f"{spec.name} has no lock", hint=f"./inv lock {spec.name}")
                complete.append(merge_reports((report, *self._of_version(spec, lock, session))))
        return complete

    def _of_version(
        self, spec: ImageSpec, lock: Lock, session: CloudSession
    ) -> Iterator[ValidationReport]:
        found = find_version(self.context, spec, self.version, session)
        name = f"{spec.name}@{found.version}"
        with (
            self.context.progress.step(f"Read {name}"),
            session.images.open_tar(found.id) as stream,
        ):
            yield report_image(name, stream, spec, lock, catalogue=CATALOGUE)
        if self.wish:
            yield report_proof(prove_version(self.context, spec, found, session, self.wish))
        if self.boot:
            yield report_disk(boot_version(self.context, spec, found, session))
