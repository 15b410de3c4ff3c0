"""Run an image's guest agent alone: in a second, without an init."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Self

from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import process
from imagebake.lab.boot.attribution import pids_in
from imagebake.lab.boot.namespaces import PATH, ROOT, MachineNamespaces
from imagebake.lab.boot.network import VmNetwork
from imagebake.lab.boot.platform_shim import CA_BUNDLE, ca_bundle
from imagebake.lab.boot.traffic_classes import RESOLVER
from imagebake.spec.model.delivery import CACHE, CACHE_CONFIGURATION, TRUST

_PATIENCE = 15.0
_CONF = "etc/waagent.conf"
_PROVISIONING = re.compile(
    r"^\s*(Provisioning\.Agent|Extensions\.(Initial)?GoalStatePeriod)\s*=.*$", re.MULTILINE
)
_ALONE = """\
Provisioning.Agent=disabled
Extensions.GoalStatePeriod=1
Extensions.InitialGoalStatePeriod=1
"""
"""Poll for goal states every second instead of every six; nothing else changes."""
_MOUNTS = f"""
cd {ROOT}
mount -t proc proc proc
mount --rbind /dev dev
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 run run
mkdir -p run/lock
"""
_DAEMON = f"""
if [ -f {CACHE} ]; then
    rm -f {TRUST}
    /usr/bin/python3 -I {CACHE} {CACHE_CONFIGURATION} &
    tries=0
    until [ -s {TRUST} ] || [ $((tries += 1)) -gt 200 ]; do sleep 0.05; done
    export SSL_CERT_FILE={TRUST}
fi
/usr/sbin/waagent -daemon &
wait $!
"""
"""Runs under a shell, because the agent ends at once if its parent is process 1."""


class AgentRun:
    """An image's agent as a process of its own, on the image's disk and network.

    It finds a machine that cloud-init has provisioned. The image's init, units and drop-ins do not
    run, for which there is `Boot`; only a cache that the image has for its extensions is started
    before the agent, as its unit would do. Like a `Boot`, it can be stopped and started again with
    its changes.
    """

    def __init__(self, layers: Sequence[Path], network: VmNetwork, *, ca: bytes) -> None:
        self._namespaces = MachineNamespaces(layers)
        self._network = network
        self._ca = ca
        self._stack = contextlib.ExitStack()
        self._running: process.Running | None = None
        self._output: BinaryIO | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._output = stack.enter_context(tempfile.TemporaryFile())
            stack.enter_context(self._namespaces)
            self._prepare()
            self._network.configure_link()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._stack.close()

    @property
    def disk(self) -> Path:
        """The root file system of the agent."""
        return self._namespaces.root

    @property
    def ended(self) -> bool:
        """Whether the agent does not run."""
        return self._running is None or self._running.poll() is not None

    def start(self) -> None:
        """Start the agent."""
        assert self._output is not None  # noqa: S101 - the context has been entered
        environment = (f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8")
        inside = ("chroot", ROOT, "env", "-i", *environment, "sh", "-c", _DAEMON)
        self._running = self._namespaces.start(
            ("sh", "-c", f"exec {shlex.join(inside)}"),
            network=self._network.vm,
            stdout=self._output.fileno(),
        )

    def stop(self) -> float:
        """Stop the agent at once, with every process it started; return the seconds that took."""
        self.cut()
        return 0.0

    def cut(self) -> None:
        """Kill the agent, with every process it started."""
        if self._running is not None:
            for pid in pids_in(self._network.vm.inode):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._running.wait(_PATIENCE)
        self._running = None

    def console(self) -> str:
        """Return the agent's output; its log is on the disk."""
        if self._output is None:
            return ""
        return os.pread(self._output.fileno(), 4000, 0).decode(errors="replace").strip()

    def _prepare(self) -> None:
        conf = self.disk / _CONF
        if not conf.is_file():
            raise ImagebakeError(f"the image has no /{_CONF}, so it has no agent")
        text = _PROVISIONING.sub("", conf.read_text(encoding="utf-8"))
        conf.write_text(f"{text}\n{_ALONE}", encoding="utf-8")
        resolver = self.disk / "etc/resolv.conf"
        # Often a link into /run, which is empty without an init.
        resolver.unlink(missing_ok=True)
        resolver.write_text(f"nameserver {RESOLVER[0]}\n", encoding="ascii")
        authorities = self.disk / CA_BUNDLE
        authorities.parent.mkdir(parents=True, exist_ok=True)
        authorities.write_text(ca_bundle(self.disk, self._ca), encoding="ascii")
        self._namespaces.start(("sh", "-ec", _MOUNTS), network=self._network.vm).wait(_PATIENCE)
