"""Write an image as a disk that Azure takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebake.lab.engine import disk as disks
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.engine.store import Store, told_when_full
from imagebake.lab.engine.vhd import MIB, aligned, footer

_SLACK = 512 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What there is to export: *layers* with the topmost first, and their measure."""

    layers: Sequence[Path]
    content_sha256: str
    content_bytes: int
    epoch: int
    architecture: str


def smallest(image: Image) -> int:
    """The size in bytes of the smallest disk that we make for *image*, with room to boot."""
    return aligned(image.content_bytes * 5 // 4 + _SLACK + disks.ROOT_START + MIB)


def export_vhd(
    store: Store, image: Image, out: Path, *, size: int | None = None, bootable: bool = True
) -> int:
    """Write *image* to *out* as a fixed VHD and return the size of the disk in it.

    *size*, in bytes, is rounded up to a MiB. The same image and size give the same bytes. The
    file is sparse, and appears under its name when it is whole. An image without a kernel is
    refused unless *bootable* is false.
    """
    least = smallest(image)
    wanted = aligned(size) if size is not None else least
    if wanted < least:
        raise EngineFailed(
            f"a disk of {wanted // MIB} MiB is too small for the image: it takes {least // MIB}",
            code="ExportFailed",
        )
    if image.architecture not in ("amd64", "arm64"):
        raise EngineFailed(f"there is no disk layout for {image.architecture}")
    plan = disks.Disk(
        size=wanted,
        epoch=image.epoch,
        architecture=image.architecture,
        content_sha256=image.content_sha256,
    )
    partial = out.with_name(f".{out.name}.{os.getpid()}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with told_when_full(out.parent), store.throw_away("disk") as attempt:
            version = _kernel(image, attempt, bootable=bootable)
            disks.write_boot_files(plan, attempt, version)
            disks.write_disk(
                plan, partial, image=image.layers, attempt=attempt, bootable=bool(version)
            )
            with partial.open("ab") as file:
                file.write(footer(wanted, identity=plan.identity("vhd"), epoch=image.epoch))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return wanted


def _kernel(image: Image, attempt: Path, *, bootable: bool) -> str:
    if not bootable:
        return ""
    if found := disks.kernel(image.layers, attempt):
        return found
    raise EngineFailed(
        "the image has no kernel with an initial ram disk in /boot, so a disk of it cannot boot",
        code="NotBootable",
        hint="add linux-image-cloud-amd64 to the base, or export the tar",
    )
