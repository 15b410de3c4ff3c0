"""Read an image as one stream of bytes that depends on nothing but its content."""

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
"""Directories whose content is the machine's at run time, never the image's."""


@contextlib.contextmanager
def open_tar(store: LayerStore, image: Sequence[Path], *, epoch: int) -> Iterator[BinaryIO]:
    """The root file system of *image* (layers, the topmost first) as a tar in one order.

    Owners are numbers, times newer than *epoch* are *epoch*, extended attributes and
    capabilities are kept. Sockets are left out.
    """
    with store.throw_away("tar") as attempt:
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
    """The SHA-256 and the length of everything that *output* still holds."""
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
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
        "--sort=name",
        "--numeric-owner",
        f"--mtime=@{epoch}",
        "--clamp-mtime",
        "--xattrs",
        "--xattrs-include=security.capability",
        "--xattrs-include=user.*",
        "--xattrs-exclude=user.overlay.*",
        "--warning=no-file-ignored",
        "--anchored",
        *(f"--exclude=./{name}/*" for name in _EMPTIED),
    ]
