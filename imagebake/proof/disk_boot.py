"""Boot the disk of a version by its own kernel, for `validate --boot`."""

from __future__ import annotations

import time

from imagebake.azure.model.gallery import GalleryVersion
from imagebake.kernel.context import Context, ensure_programs
from imagebake.kernel.host import system_packages
from imagebake.kernel.progress import Step
from imagebake.lab.disk.qemu import EMULATED, KVM, BootAttempt, Hardware, boot
from imagebake.lab.disk.result import BootTrouble, DiskBoot
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lock import artifact_sources
from imagebake.policy.facts import DiskFacts
from imagebake.proof.first_boots import record_keeper
from imagebake.session.session import CloudSession
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
