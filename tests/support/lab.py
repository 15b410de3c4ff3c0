"""A machine and its host as two network namespaces, and the real agent run in the first.

The smallest that judges the fabric's documents. Nothing survives: both namespaces are held by
processes that the kernel kills with ours, mounts are in a private namespace, and no interface
leads out.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from imagebake.fabric.plan import METADATA, STORE, WIRE_SERVER

_CLONE_NEWNET = 0x40000000
_KILLED = ("setpriv", "--pdeathsig", "KILL", "--")

CONF = {
    "Provisioning.Agent": "disabled",
    "Provisioning.MonitorHostName": "n",
    "ResourceDisk.Format": "n",
    "Logs.Collect": "n",
    "OS.EnableFirewall": "n",
    "AutoUpdate.Enabled": "n",
    "AutoUpdate.UpdateToLatestVersion": "n",
    "Extensions.GoalStatePeriod": "1",
    "Extensions.InitialGoalStatePeriod": "1",
}
"""The least that the agent needs to be told in a test."""

_START = r"""
set -e
mount -t overlay overlay -o "lowerdir=$LOWERS,upperdir=$AT/upper,workdir=$AT/work" "$AT/root"
mount --bind /dev "$AT/root/dev"
mount -t proc proc "$AT/root/proc"
mount -t tmpfs tmpfs "$AT/root/run"
hostname machine
cp "$AT/waagent.conf" "$AT/root/etc/waagent.conf"
cp "$AT/ca.pem" "$AT/root/etc/fabric-ca.pem"
mkdir -p "$AT/root/var/lib/waagent"
set +e
chroot "$AT/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    SSL_CERT_FILE=/etc/fabric-ca.pem /usr/bin/python3 -u /usr/sbin/waagent -daemon
:
"""


class Lab:
    """Two namespaces with a wire between them; `listen` opens sockets at the host's end."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.machine = stack.enter_context(_namespace())
            self.host = stack.enter_context(_namespace())
            self._wire()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def listen(self, address: str, port: int) -> socket.socket:
        """A listening socket in the host's namespace."""
        made: list[socket.socket] = []
        failed: list[OSError] = []

        def open_it() -> None:
            try:
                _enter(self.host)
                made.append(socket.create_server((address, port), backlog=64))
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=open_it)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return made[0]

    def _wire(self) -> None:
        self._ip(
            self.machine,
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            str(self.host),
        )
        for pid, address in ((self.machine, "10.1.0.4/24"), (self.host, "10.1.0.1/24")):
            self._ip(pid, "addr", "add", address, "dev", "eth0")
            self._ip(pid, "link", "set", "lo", "up")
            self._ip(pid, "link", "set", "eth0", "up")
        for address, _ in (WIRE_SERVER, METADATA, STORE):
            self._ip(self.host, "addr", "add", f"{address}/32", "dev", "lo")
        self._ip(self.machine, "route", "add", "default", "via", "10.1.0.1")
        for address, _ in (WIRE_SERVER, METADATA):
            self._ip(self.machine, "route", "add", f"{address}/32", "via", "10.1.0.1")

    def _ip(self, pid: int, *words: str) -> None:
        command = ("nsenter", f"--net=/proc/{pid}/ns/net", "ip", *words)
        subprocess.run(command, check=True, capture_output=True)

    @contextlib.contextmanager
    def agent(
        self,
        lowers: Sequence[Path],
        at: Path,
        *,
        ca: bytes,
        hosts: Sequence[str],
        conf: Mapping[str, str] | None = None,
    ) -> Iterator[Path]:
        """Run the image's own agent on *lowers*, the topmost first; yields what it writes to.

        It finds *hosts* in `/etc/hosts` and trusts *ca*.
        """
        for name in ("upper/etc", "work", "root"):
            (at / name).mkdir(parents=True, exist_ok=True)
        lines = ["127.0.0.1 localhost machine", *(f"{STORE[0]} {host}" for host in hosts)]
        (at / "upper/etc/hosts").write_text("\n".join(lines) + "\n")
        settings = {**CONF, **(conf or {})}
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (at / "waagent.conf").write_text(text)
        (at / "ca.pem").write_bytes(ca)
        command = (
            *_KILLED,
            "nsenter",
            f"--net=/proc/{self.machine}/ns/net",
            "unshare",
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--fork",
            "--kill-child",
            "/bin/sh",
            "-c",
            _START,
        )
        environment = {
            "PATH": os.environ["PATH"],
            "AT": str(at),
            "LOWERS": ":".join(map(str, lowers)),
        }
        with (at / "agent.log").open("wb") as log:
            running = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield at / "upper"
        finally:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


@contextlib.contextmanager
def _namespace() -> Iterator[int]:
    """Hold a network namespace; yields the process that it can be named by."""
    command = (*_KILLED, "unshare", "--net", "sh", "-c", "echo; exec cat")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        try:
            holder.stdout.readline()
            yield holder.pid
        finally:
            holder.kill()


def _enter(pid: int) -> None:
    """Move the calling thread, and no other, into the network namespace of *pid*."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
        if libc.setns(namespace.fileno(), _CLONE_NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "setns")
