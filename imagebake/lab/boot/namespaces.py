"""A place for processes and mounts that ends, whole, when we do."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import process
from imagebake.lab.boot.network_namespace import PATH, Namespace

ROOT = "/run/imagebake/root"
"""Where a world has the image's root file system."""

_HOLDER = Path(__file__).with_name("namespace_holder.py")
_NAMESPACES = (("mount", "mnt"), ("pid", "pid"), ("uts", "uts"), ("ipc", "ipc"))
_PATIENCE = 15.0
_JOIN = (
    'while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'
)


class WorldFailed(ImagebakeError):
    """This machine refused the namespaces, or something in them could not be started."""


class World:
    """Processes, mounts, a host name and, on request, control groups of their own.

    With *layers* (the topmost first) they are mounted as one root file system whose changes
    are kept in memory: they outlive the processes of the world, not the world. Inside, the
    machine's `/run` and `/tmp` are hidden by empty ones.
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
        said = self._holder.stdout.readline() if self._holder.stdout else b""
        told = json.loads(said) if said else {"trouble": "the holder ended"}
        if told["trouble"]:
            self.__exit__()
            raise WorldFailed(
                f"this machine refused a world for a first boot: {told['trouble']}",
                hint=told.get("hint") or "first boots need root, and kernel namespaces",
            )
        self.pid = int(told["pid"])
        self._groups = tuple(told["groups"])
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
        """How this process reaches what the world has at *inside*."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def start(
        self,
        argv: Sequence[str | Path],
        *,
        network: Namespace,
        env: Mapping[str, str] | None = None,
        stdout: int = process.PIPED,
    ) -> process.Running:
        """Start a program of this machine in the world and in *network*."""
        own = (f"--{kind}=/proc/{self.pid}/ns/{name}" for kind, name in _NAMESPACES)
        entered = ("nsenter", f"--net={network.path}", *own, "--wd=/")
        joined = ("sh", "-c", _JOIN, "join", *self._groups, "--")
        running = process.start(
            (*joined, *entered, *argv), stdout=stdout, env={"PATH": PATH, **(env or {})}
        )
        self._running.append(running)
        return running
