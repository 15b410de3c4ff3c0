"""Read an image as a reproducible tar stream."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from imagebake.kernel.host import namespaces
from imagebake.kernel.host.namespaces import Sandbox
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.engine.store import LayerStore

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
