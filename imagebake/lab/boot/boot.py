"""Boot an image with its own init, as a virtual machine on Azure boots for the first time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Self

from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import process
from imagebake.lab.boot.attribution import pids_in
from imagebake.lab.boot.namespaces import PATH, ROOT, MachineNamespaces
from imagebake.lab.boot.network import VmNetwork
from imagebake.lab.boot.platform_shim import STAGE, write_platform_files

_NOTICES = "\0imagebake/notices"
_POLL = 0.5
_PATIENCE = 30.0
_OFF_PATIENCE = 20.0
_TAIL = 4000
_NAMESPACES = ("mount", "uts", "ipc", "net", "pid", "cgroup")


class BootFailed(ImagebakeError):
    """The image's init did not start, or its machine stopped."""


class Boot:
    """One machine with the image's disk, on or off.

    The disk is the image's *layers* (topmost first) below an empty layer in memory, which keeps the
    machine's changes from one start to the next and is discarded when the context is left. Needs
    root. *vm_id* is the machine's UUID; its agent trusts the certificate *ca* in addition.
    """

    def __init__(
        self, layers: Sequence[Path], network: VmNetwork, *, vm_id: str, ca: bytes
    ) -> None:
        self._namespaces = MachineNamespaces(layers, groups=True)
        self._network = network
        self._vm_id, self._ca = vm_id, ca
        self._stack = contextlib.ExitStack()
        self._running: process.Running | None = None
        self._console: BinaryIO | None = None
        self.pid = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._console = stack.enter_context(tempfile.TemporaryFile())
            stack.enter_context(self._namespaces)
            self._notices = stack.enter_context(self._network.vm.call(_notices))
            self._binds = write_platform_files(
                self._namespaces.path(STAGE), disk=self.disk, vm_id=self._vm_id, ca=self._ca
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._stack.close()

    @property
    def disk(self) -> Path:
        """The root file system of the machine, on or off."""
        return self._namespaces.root

    def start(self) -> None:
        """Switch the machine on; returns as soon as its process 1 runs."""
        command = (
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            # This host's systemd must not know the machine: no registration, scope or journal.
            "--keep-unit",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            # systemd(1): SIGRTMIN+3 halts the machine; nspawn sends it when it gets SIGTERM.
            "--kill-signal=SIGRTMIN+3",
            "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
            "--console=pipe",
            f"--machine={self._namespaces.name}",
            "--directory",
            ROOT,
            *self._binds,
            f"{STAGE}/init.sh",
        )
        assert self._console is not None  # noqa: S101 - the context has been entered
        self._running = self._namespaces.start(
            command,
            network=self._network.vm,
            env={"NOTIFY_SOCKET": f"@{_NOTICES[1:]}"},
            stdout=self._console.fileno(),
        )
        end = time.monotonic() + _PATIENCE
        while not (leader := self._leader()):
            if self.ended or time.monotonic() > end:
                raise BootFailed(f"the image does not boot: {self.console() or 'it is silent'}")
        self.pid = leader

    @property
    def ended(self) -> bool:
        """Whether the machine is off, for whatever reason."""
        return self._running is None or self._running.poll() is not None

    def stop(self) -> float:
        """Shut the machine down; return the seconds that took."""
        began = time.monotonic()
        if self._running is not None and not self.ended:
            for pid in _children(self._running.pid):
                os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                _wait(self._running, _OFF_PATIENCE)
        self.cut()
        return time.monotonic() - began

    def cut(self) -> None:
        """Power the machine off without a shutdown."""
        if self._running is not None and not self.ended:
            if self.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            for pid in _children(self._running.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._running.wait(_PATIENCE)
        self._running, self.pid = None, 0

    def run(self, *argv: str, timeout: float = 60.0) -> process.ProcessResult:
        """Run a program of the image in the machine as root, whatever its exit code."""
        entered = (f"--{name}" for name in _NAMESPACES)
        environment = ("env", "-i", f"PATH={PATH}", "LANG=C.UTF-8", "HOME=/root")
        command = ("nsenter", "--target", str(self.pid), *entered, "--root", "--wd=/")
        return process.run((*command, *environment, *argv), check=False, timeout=timeout)

    def console(self) -> str:
        """Return the last output of the machine while it started or stopped."""
        if self._console is None:
            return ""
        size = os.fstat(self._console.fileno()).st_size
        output = os.pread(self._console.fileno(), _TAIL, max(0, size - _TAIL))
        return output.decode(errors="replace").strip()

    def serial(self, tail: int) -> bytes:
        """Return the last *tail* bytes that programs wrote to the machine's `/dev/console`.

        That is a file in the machine's own namespace, so one of its own programs must read it.
        """
        if self.ended or not self.pid:
            return b""
        return self.run("tail", "-c", str(tail), "/dev/console").stdout

    def _leader(self) -> int:
        """Wait briefly for a readiness message of the machine's process 1, and find its pid."""
        with contextlib.suppress(TimeoutError):
            self._notices.recv(4096)
        for pid in pids_in(self._network.vm.inode):
            # Processes end while they are looked at.
            with contextlib.suppress(OSError, StopIteration):
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
                ids = next(line for line in status if line.startswith("NSpid:")).split()[1:]
                # One pid for each nested pid namespace: process 1 of the innermost is the machine's
                # init.
                if len(ids) > 2 and ids[-1] == "1":  # noqa: PLR2004 - ours, the world's, its own
                    return pid
        return 0


def _notices() -> socket.socket:
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    opened.bind(_NOTICES)
    opened.settimeout(_POLL)
    return opened


def _children(pid: int) -> tuple[int, ...]:
    with contextlib.suppress(OSError):
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return tuple(map(int, listed.split()))
    return ()


def _wait(running: process.Running, seconds: float) -> None:
    end = time.monotonic() + seconds
    handle = os.pidfd_open(running.pid)
    try:
        if not select.select([handle], [], [], end - time.monotonic())[0]:
            raise TimeoutError
        running.wait()
    finally:
        os.close(handle)
