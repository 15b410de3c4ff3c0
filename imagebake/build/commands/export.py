"""The task `export`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

from imagebake.kernel.context import ensure_programs, open_context
from imagebake.kernel.errors import UsageError
from imagebake.kernel.flags import VERSION, Flag, Word
from imagebake.kernel.host import system_packages
from imagebake.kernel.host.files import atomic_file
from imagebake.lock.selection import find_spec, split_version
from imagebake.session.session import CloudSession, connect, find_version

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
    context = open_context(quiet=False)
    if form not in ("vhd", "tar"):
        raise UsageError(f"there is no format {form!r}", hint="it is vhd or tar")
    if not out:
        raise UsageError("name the file to write", hint=f"--out {version or 'image'}.{form}")
    if size_gib not in range(_LARGEST_GIB + 1):
        raise UsageError(f"a disk has no size of {size_gib} GiB", hint=f"1 to {_LARGEST_GIB}")
    image, wanted = split_version(version)
    spec = find_spec(context, image)
    path = Path(out)
    if path.is_dir():
        raise UsageError(f"{out} is a directory", hint=f"--out {path / spec.name}.{form}")
    if form == "vhd":
        ensure_programs(system_packages.EXPORT, progress=context.progress)
    with connect(context) as session:
        found = find_version(context, spec, wanted, session)
        name = f"{spec.name}@{found.version}"
        with context.progress.step(f"Write {name} to {path}"):
            if form == "vhd":
                session.images.export_vhd(
                    found.id, path, size_gib=size_gib or spec.build.os_disk_gb
                )
            else:
                _write_tar(session, found.id, path)
    print(f"{path}: {path.stat().st_size} bytes of {name}")


def _write_tar(session: CloudSession, version_id: str, path: Path) -> None:
    with atomic_file(path) as file, session.images.open_tar(version_id) as stream:
        shutil.copyfileobj(stream, file, 1 << 20)
