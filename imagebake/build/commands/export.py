"""`export`: an image version as a file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

from imagebake.kernel import context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import VERSION, Flag, Word
from imagebake.kernel.host import system_packages
from imagebake.kernel.host.files import arriving
from imagebake.lock.selection import spec_of, split_version
from imagebake.session import session
from imagebake.session.gallery import meant
from imagebake.session.session import End

_LARGEST_GIB = 2048


def export(
    version: Annotated[str, Word(VERSION)] = "",
    *,
    form: Annotated[
        str,
        Flag("vhd (a fixed VHD that Azure accepts) or tar (the root file system)", name="format"),
    ] = "vhd",
    out: Annotated[str, Flag("the file to write")] = "",
    size_gib: Annotated[
        int, Flag("the size of the disk in GiB (default: what the spec says)", name="size")
    ] = 0,
) -> None:
    """Write a version to *out*; the same version gives the same bytes on every machine."""
    site = context.site(quiet=False)
    if form not in ("vhd", "tar"):
        raise UsageError(f"there is no format {form!r}", hint="it is vhd or tar")
    if not out:
        raise UsageError("name the file to write", hint=f"--out {version or 'image'}.{form}")
    if size_gib not in range(_LARGEST_GIB + 1):
        raise UsageError(f"a disk has no size of {size_gib} GiB", hint=f"1 to {_LARGEST_GIB}")
    image, wanted = split_version(version)
    spec = spec_of(site, image)
    path = Path(out)
    if path.is_dir():
        raise UsageError(f"{out} is a directory", hint=f"--out {path / spec.name}.{form}")
    if form == "vhd":
        context.provide(system_packages.EXPORT, progress=site.progress)
    with session.connect(site) as end:
        found = meant(site, spec, wanted, end)
        name = f"{spec.name}@{found.version}"
        with site.progress.step(f"Write {name} to {path}"):
            if form == "vhd":
                end.images.export_vhd(found.id, path, size_gib=size_gib or spec.build.os_disk_gb)
            else:
                _write_tar(end, found.id, path)
    print(f"{path}: {path.stat().st_size} bytes of {name}")


def _write_tar(end: End, version_id: str, path: Path) -> None:
    with arriving(path) as file, end.images.open_tar(version_id) as stream:
        shutil.copyfileobj(stream, file, 1 << 20)
