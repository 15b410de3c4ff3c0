"""Network namespaces without names, which exist as long as someone holds them open."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

from imagebake.kernel.host import process

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are, on this machine and in every image."""

_CLONE_NEWNET = 0x40000000
_BACKLOG = 128
_libc = ctypes.CDLL(None, use_errno=True)

Made = TypeVar("Made")


class Namespace:
    """A network namespace, empty but for its loopback, which is up.

    Only this process holds it: nothing of it has a name on the machine, and the kernel takes
    it away, with the devices in it, when the process ends in whatever way.
    """

    def __init__(self) -> None:
        self._handle = _aside(_new)
        self.run(("ip", "link", "set", "lo", "up"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it; programs that still run in it keep it a little longer."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    @property
    def path(self) -> Path:
        """A path by which another program of this machine can enter it while we live."""
        return Path(f"/proc/{os.getpid()}/fd/{self._handle}")

    @property
    def inode(self) -> int:
        """What `/proc/PID/ns/net` of a process in it has, too."""
        return os.fstat(self._handle).st_ino

    def call(self, make: Callable[[], Made]) -> Made:
        """Call *make* in a thread that is inside; what it opens stays inside."""

        def inside() -> Made:
            _check(_libc.setns(self._handle, _CLONE_NEWNET), "setns")
            return make()

        return _aside(inside)

    def run(self, command: Sequence[str | Path], *, stdin: bytes | None = None) -> process.Outcome:
        """Run a program of this machine inside to its end; raises `ProgramFailed`."""
        entered = ("nsenter", f"--net={self.path}", *command)
        return process.run(entered, stdin=stdin, env={"PATH": PATH})

    def listen(self, address: str, port: int) -> socket.socket:
        """A socket that listens on an address of this namespace."""

        def make() -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            made = socket.socket(family, socket.SOCK_STREAM)
            try:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                made.bind((address, port))
                made.listen(_BACKLOG)
            except BaseException:
                made.close()
                raise
            return made

        return self.call(make)

    def datagrams(self, address: str, port: int) -> socket.socket:
        """A socket that takes datagrams for an address of this namespace."""

        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                made.bind((address, port))
            except BaseException:
                made.close()
                raise
            return made

        return self.call(make)


def _new() -> int:
    _check(_libc.unshare(_CLONE_NEWNET), "unshare")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _aside(make: Callable[[], Made]) -> Made:
    """Call *make* in a thread of its own, which may leave our namespaces and ends at once."""
    made: list[Made] = []
    failed: list[OSError] = []

    def work() -> None:
        try:
            made.append(make())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="namespace")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
