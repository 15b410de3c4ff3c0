"""Atomic writes, and locks that the kernel releases when their holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO


def write_atomically(
    path: Path, content: bytes, *, mode: int = 0o644, durable: bool = True
) -> None:
    """Write *content* to *path* so that readers see the old file or the new one.

    Parents are created. A crash or `kill -9` leaves at most a hidden temporary file beside it.
    Without *durable* the file may be lost or empty after a crash of the machine.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same directory, because rename(2) is atomic only within one file system.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        # mkstemp creates its files with mode 0600.
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that is moved to *path* when the context ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def file_lock(path: Path, *, wait: bool = True, shared: bool = False) -> Iterator[bool]:
    """Hold the lock file *path* while the context is open, exclusive unless *shared*.

    Yields whether the lock is held: always true with *wait*, else false at once if another
    process holds it. The kernel releases it when the holder dies. Not re-entrant.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The lock belongs to the open file and ends with it, however the holder dies. The file itself
    # is never removed: a process that still waits for it would lock an inode that no other can
    # find.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(handle, kind | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)


@contextlib.contextmanager
def exclusive_lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock *path* while the context is open; call *waiting* if another process has it."""
    with file_lock(path, wait=False) as held:
        if held:
            yield
            return
    waiting()
    with file_lock(path):
        yield
