"""Namespaces without names: networks, and processes with mounts, gone when this process ends."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import process

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Directories of programs, on this host and in every image."""

_CLONE_NEWNET = 0x40000000
_BACKLOG = 128
_libc = ctypes.CDLL(None, use_errno=True)

Made = TypeVar("Made")


class NetworkNamespace:
    """A network namespace with nothing but its loopback, which is up.

    Only this process holds it: it has no name on the host, and the kernel removes it, with the
    devices in it, when the process ends in whatever way.
    """

    def __init__(self) -> None:
        self._handle = _aside(_new)
        self.run(("ip", "link", "set", "lo", "up"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release it; programs that still run in it keep it alive."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    @property
    def path(self) -> Path:
        """A path by which another program can enter it while this process lives."""
        return Path(f"/proc/{os.getpid()}/fd/{self._handle}")

    @property
    def inode(self) -> int:
        """The inode that `/proc/PID/ns/net` of a process in it has too."""
        return os.fstat(self._handle).st_ino

    def call(self, make: Callable[[], Made]) -> Made:
        """Call *make* in a thread inside the namespace; sockets opened there stay inside."""

        def inside() -> Made:
            _check(_libc.setns(self._handle, _CLONE_NEWNET), "setns")
            return make()

        return _aside(inside)

    def run(
        self, command: Sequence[str | Path], *, stdin: bytes | None = None
    ) -> process.ProcessResult:
        """Run a program of this host inside, to its end; raises `ProgramFailed`."""
        entered = ("nsenter", f"--net={self.path}", *command)
        return process.run(entered, stdin=stdin, env={"PATH": PATH})

    def listen(self, address: str, port: int) -> socket.socket:
        """Return a TCP socket that listens on an address of this namespace."""

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
        """Return a UDP socket bound to an address of this namespace."""

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
    """Call *make* in a thread of its own, which may change its namespaces and ends at once."""
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


ROOT = "/run/imagebake/root"
"""The mount point of the image's root file system inside."""

_HOLDER = Path(__file__).with_name("namespace_holder.py")
_NAMESPACES = (("mount", "mnt"), ("pid", "pid"), ("uts", "uts"), ("ipc", "ipc"))
_PATIENCE = 15.0
# Joins the control groups before the namespaces: inside, their paths no longer exist.
_JOIN = (
    'while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'
)


class NamespacesRefused(ImagebakeError):
    """This host refused the namespaces, or a program in them did not start."""


class MachineNamespaces:
    """Processes, mounts, a host name and, on request, control groups of one machine.

    With *layers* (topmost first) they are mounted as one root file system whose changes are kept in
    memory: they outlive the processes, not this context. Inside, the host's `/run` and `/tmp` are
    hidden by empty ones.
    """

    def __init__(self, layers: Sequence[Path] = (), *, groups: bool = False) -> None:
        self.name = f"imagebake-{uuid.uuid4().hex[:12]}"
        self._config = {
            "name": self.name,
            "layers": [str(layer) for layer in layers],
            "groups": groups,
        }
        self._holder: process.Running | None = None
        self._running: list[process.Running] = []
        self._groups: tuple[str, ...] = ()
        self.pid = 0

    def __enter__(self) -> Self:
        command = (sys.executable, "-I", "-S", "-B", _HOLDER, json.dumps(self._config))
        self._holder = process.start(
            command, stdin=process.PIPED, stderr=process.IGNORED, env={"PATH": PATH}
        )
        line = self._holder.stdout.readline() if self._holder.stdout else b""
        answer = json.loads(line) if line else {"trouble": "the holder ended"}
        if answer["trouble"]:
            self.__exit__()
            raise NamespacesRefused(
                f"this machine refused namespaces for a first boot: {answer['trouble']}",
                hint=answer.get("hint") or "first boots need root, and kernel namespaces",
            )
        self.pid = int(answer["pid"])
        self._groups = tuple(answer["groups"])
        return self

    def __exit__(self, *_: object) -> None:
        holder, self._holder = self._holder, None
        if holder is None:
            return
        if holder.stdin:
            holder.stdin.close()
        holder.wait(_PATIENCE)
        if holder.stdout:
            holder.stdout.close()
        for running in self._running:
            running.wait(_PATIENCE)
            if running.stdout:
                running.stdout.close()

    @property
    def root(self) -> Path:
        """The image's root file system as this process can read and write it."""
        return self.path(ROOT)

    def path(self, inside: str) -> Path:
        """Return the path by which this process reaches *inside*."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def start(
        self,
        argv: Sequence[str | Path],
        *,
        network: NetworkNamespace,
        env: Mapping[str, str] | None = None,
        stdout: int = process.PIPED,
    ) -> process.Running:
        """Start a program of this host in these namespaces and in *network*."""
        own = (f"--{kind}=/proc/{self.pid}/ns/{name}" for kind, name in _NAMESPACES)
        entered = ("nsenter", f"--net={network.path}", *own, "--wd=/")
        joined = ("sh", "-c", _JOIN, "join", *self._groups, "--")
        running = process.start(
            (*joined, *entered, *argv), stdout=stdout, env={"PATH": PATH, **(env or {})}
        )
        self._running.append(running)
        return running
