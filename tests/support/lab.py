"""A machine and its host as two network namespaces, and the real agent run in the first.

The smallest that judges the fabric's documents: no DHCP, no resolver, no init, and no interface
that leads out.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from imagebake.kernel.host import process
from imagebake.lab.boot.namespaces import ROOT, MachineNamespaces, NetworkNamespace
from imagebake.lab.fabric.fabric_settings import METADATA, STORE, WIRE_SERVER

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

_CA = "/etc/fabric-ca.pem"
_START = f"""
mount --bind /dev {ROOT}/dev && mount -t proc proc {ROOT}/proc && mount -t tmpfs tmpfs {ROOT}/run &&
hostname machine &&
exec chroot {ROOT} env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \\
    SSL_CERT_FILE={_CA} /usr/bin/python3 -u /usr/sbin/waagent -daemon
"""


class Lab:
    """Two namespaces with a wire between them; `listen` opens sockets at the host's end."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._machine = stack.enter_context(NetworkNamespace())
            self._host = stack.enter_context(NetworkNamespace())
            self._wire()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def listen(self, address: str, port: int) -> socket.socket:
        """A listening socket at the host's end."""
        return self._host.listen(address, port)

    def _wire(self) -> None:
        peer = ("peer", "name", "eth0", "netns", str(self._machine.path))
        self._host.run(("ip", "link", "add", "eth0", "type", "veth", *peer))
        there = [
            f"address add {address}/32 dev lo" for address, _ in (WIRE_SERVER, METADATA, STORE)
        ]
        here = [
            f"route add {address} via 10.1.0.1"
            for address in ("default", f"{WIRE_SERVER[0]}/32", f"{METADATA[0]}/32")
        ]
        for end, address, more in (
            (self._host, "10.1.0.1/24", there),
            (self._machine, "10.1.0.4/24", here),
        ):
            batch = [f"address add {address} dev eth0", "link set eth0 up", *more]
            end.run(("ip", "-batch", "-"), stdin="\n".join(batch).encode())

    @contextlib.contextmanager
    def agent(
        self,
        layers: Sequence[Path],
        *,
        ca: bytes,
        hosts: Sequence[str],
        conf: Mapping[str, str] | None = None,
    ) -> Iterator[Path]:
        """Run the image's own agent on *layers*, the topmost first; yields its root.

        It finds *hosts* in `/etc/hosts` and trusts *ca*. What it writes is gone afterwards.
        """
        with MachineNamespaces(layers) as world:
            etc = world.root / "etc"
            lines = ["127.0.0.1 localhost machine", *(f"{STORE[0]} {host}" for host in hosts)]
            (etc / "hosts").write_text("\n".join(lines) + "\n")
            settings = {**CONF, **(conf or {})}
            (etc / "waagent.conf").write_text(
                "".join(f"{name}={value}\n" for name, value in settings.items())
            )
            (world.root / _CA.lstrip("/")).write_bytes(ca)
            command = ("unshare", "--uts", "--ipc", "sh", "-c", _START)
            world.start(command, network=self._machine, stdout=process.IGNORED)
            yield world.root
