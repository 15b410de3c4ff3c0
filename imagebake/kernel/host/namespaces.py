"""Run programs in namespaces of their own that leave nothing behind, however they end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import process

_INSIDE = Path(__file__).with_name("sandbox_init.py")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POLL = 0.2
_PATIENCE = 10.0
MAP = ("unshare", "--user", "--map-auto", "--map-root-user", "--")
"""What starts a program as root of a user namespace, with all users that ours may be."""


class SandboxFailed(ImagebakeError):
    """The kernel or this machine refused the namespaces; the program never started."""


class Stopped(ImagebakeError):
    """The program was killed because its caller asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A program and the world it sees.

    With *lowers* (the topmost first) they are mounted as one file system at the empty
    directory *at*, writable into *upper* when it is given; with *chroot* the program sees
    that as its root, with devices, `/proc`, an empty `/run` and a read-only `/sys`, else it
    is a program of this machine that finds them at `at/root`. *payload* is a file of this
    machine that is put at *put* inside; when there is *argv*, too, it goes again afterwards.
    """

    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = "root"
    directory: str = "/"
    network: bool = False
    chroot: bool = True
    lowers: tuple[Path, ...] = ()
    upper: Path | None = None
    work: Path | None = None
    at: Path | None = None
    mirror: Path | None = None
    payload: Path | None = None
    put: str = ""
    mode: int = 0o644
    binds: tuple[tuple[str, str, bool], ...] = ()


def rootless() -> bool:
    """Whether this process needs a user namespace to be root in."""
    return os.geteuid() != 0


def run(sandbox: Sandbox, *, on_line: Callable[[str], None], stop: Callable[[], bool]) -> int:
    """Run *sandbox* to its end, telling every line it prints, and return its exit code.

    *stop* is asked a few times a second; once it says so everything inside is killed, and
    `Stopped` is raised when nothing of it is left.
    """
    last = [""]

    def told(line: str) -> None:
        last[0] = line
        on_line(line)

    with _started(sandbox, stderr=process.MERGED) as running:
        if not _follow(running.output, told, stop):
            raise Stopped("stopped while it was running")
        return running.wait(last[0])


def call(sandbox: Sandbox) -> tuple[int, str]:
    """Run *sandbox* to its end; its exit code and the last that it printed."""
    lines: list[str] = []
    code = run(sandbox, on_line=lines.append, stop=lambda: False)
    return code, "\n".join(lines[-15:])


@contextlib.contextmanager
def stream(sandbox: Sandbox) -> Iterator[BinaryIO]:
    """The standard output of *sandbox*, to be read to its end.

    A program that fails makes the context end with `SandboxFailed`; leaving early kills it.
    """
    with tempfile.TemporaryFile() as said:
        with _started(sandbox, stderr=said.fileno()) as running:
            yield running.output
            code = running.wait() if not running.output.read(1) else 0
        if code:
            said.seek(0)
            words = said.read().decode(errors="replace").strip()
            raise SandboxFailed(f"{sandbox.argv[0]} ended with {code}: {words[-2000:]}")


def sizes(paths: Sequence[Path]) -> dict[Path, int]:
    """How much of the disk each tree takes, in bytes, whoever owns what is in it."""
    if not paths:
        return {}
    command = ("du", "-s", "-B1", "-0", "--", *map(str, paths))
    said = process.run((*MAP, *command) if rootless() else command, env={"PATH": _PATH})
    rows = [row.split("\t", 1) for row in said.text.split("\0") if row]
    return {Path(name): int(size) for size, name in rows}


def remove(path: Path) -> None:
    """Remove a tree that a sandbox wrote, whoever owns it; nothing is said if it is gone."""
    with contextlib.suppress(PermissionError, FileNotFoundError):
        shutil.rmtree(path)
    if os.path.lexists(path):
        command = ("rm", "-rf", "--one-file-system", "--", str(path))
        process.run((*MAP, *command) if rootless() else command, env={"PATH": _PATH})


@dataclass(frozen=True, slots=True)
class _Running:
    launcher: process.Running
    output: BinaryIO
    status: int

    def wait(self, last: str = "") -> int:
        """The exit code; *last* is what was said last, should nothing have started."""
        code = self.launcher.wait()
        told = os.read(self.status, 4096).decode(errors="replace")
        if told.startswith("+"):
            return code
        raise SandboxFailed(
            f"this machine refused a sandbox: {told.removeprefix('-') or last or code}",
            hint="./inv doctor says what is missing",
        )


@contextlib.contextmanager
def _started(sandbox: Sandbox, *, stderr: int) -> Iterator[_Running]:
    status, theirs = os.pipe()
    try:
        try:
            command = (*(MAP if rootless() else ()), *_command(sandbox, theirs))
            launcher = process.start(
                command, stderr=stderr, env={"PATH": _PATH}, pass_fds=(theirs,)
            )
        finally:
            os.close(theirs)
        assert launcher.stdout is not None  # noqa: S101 - it is a pipe by our own order
        with launcher.stdout as output:
            try:
                yield _Running(launcher, output, status)  # type: ignore[arg-type]
            finally:
                # The launcher kills process 1, and waits for its whole world to end.
                process.end(launcher, patience=_PATIENCE)
    finally:
        os.close(status)


def _command(sandbox: Sandbox, status: int) -> tuple[str, ...]:
    config = {
        "parent": os.getpid(),
        "status": status,
        "argv": sandbox.argv,
        "env": {"PATH": _PATH, **sandbox.env},
        "user": sandbox.user,
        "directory": sandbox.directory,
        "network": sandbox.network,
        "chroot": sandbox.chroot,
        "userxattr": rootless(),
        "lowers": [str(lower) for lower in sandbox.lowers],
        "upper": str(sandbox.upper or ""),
        "work": str(sandbox.work or ""),
        "at": str(sandbox.at or ""),
        "mirror": str(sandbox.mirror or ""),
        "payload": str(sandbox.payload or ""),
        "put": sandbox.put,
        "mode": sandbox.mode,
        "binds": sandbox.binds,
    }
    return (sys.executable, "-I", "-S", "-B", str(_INSIDE), json.dumps(config))


def _follow(output: BinaryIO, on_line: Callable[[str], None], stop: Callable[[], bool]) -> bool:
    """Tell every line until the output ends; false as soon as *stop* says so."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while not stop():
            if not selector.select(_POLL):
                continue
            chunk = os.read(output.fileno(), 1 << 16)
            *lines, rest = (rest + chunk).split(b"\n")
            if not chunk and rest:
                lines, rest = [rest], b""
            for line in lines:
                on_line(line.decode(errors="replace").rstrip("\r"))
            if not chunk:
                return True
    return False
