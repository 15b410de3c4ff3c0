"""Programs in namespaces of their own, which leave no process or mount behind."""

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
"""Command prefix that makes a program root of a user namespace, with all ids that the user may map.
"""


class SandboxFailed(ImagebakeError):
    """The kernel or the machine refused the namespaces; the program never started."""


class Stopped(ImagebakeError):
    """The program was killed at its caller's request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A program, and the file system, user and network that it sees.

    With *lowers* (topmost first) these are mounted as one file system at the empty directory
    *at*, writable into *upper* when given; with *chroot* it is the program's root, with
    devices, `/proc`, an empty `/run` and a read-only `/sys`, else the program sees the host and
    finds it at `at/root`. *payload* is a file of the host that is copied to *put* inside; when
    there is *argv*, too, it is removed again afterwards.
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
    """Return whether this process needs a user namespace to be root."""
    return os.geteuid() != 0


def run(sandbox: Sandbox, *, on_line: Callable[[str], None], stop: Callable[[], bool]) -> int:
    """Run *sandbox*, pass each line of its output to *on_line*, and return its exit code.

    *stop* is called several times a second; once it returns true, everything inside is killed
    and `Stopped` is raised after the last process has ended.
    """
    last = [""]

    def report(line: str) -> None:
        last[0] = line
        on_line(line)

    with _started(sandbox, stderr=process.MERGED) as running:
        if not _follow(running.output, report, stop):
            raise Stopped("stopped while it was running")
        return running.wait(last[0])


def call(sandbox: Sandbox) -> tuple[int, str]:
    """Run *sandbox*; return its exit code and the last lines of its output."""
    lines: list[str] = []
    code = run(sandbox, on_line=lines.append, stop=lambda: False)
    return code, "\n".join(lines[-15:])


@contextlib.contextmanager
def stream(sandbox: Sandbox) -> Iterator[BinaryIO]:
    """Yield the standard output of *sandbox*, to be read to its end.

    Raises `SandboxFailed` at the end of the context if the program failed; leaving early kills
    it.
    """
    with tempfile.TemporaryFile() as errors:
        with _started(sandbox, stderr=errors.fileno()) as running:
            yield running.output
            code = running.wait() if not running.output.read(1) else 0
        if code:
            errors.seek(0)
            words = errors.read().decode(errors="replace").strip()
            raise SandboxFailed(f"{sandbox.argv[0]} ended with {code}: {words[-2000:]}")


def sizes(paths: Sequence[Path]) -> dict[Path, int]:
    """Return the disk usage of each tree in bytes, also of files that other users own."""
    if not paths:
        return {}
    command = ("du", "-s", "-B1", "-0", "--", *map(str, paths))
    usage = process.run((*MAP, *command) if rootless() else command, env={"PATH": _PATH})
    rows = [row.split("\t", 1) for row in usage.text.split("\0") if row]
    return {Path(name): int(size) for size, name in rows}


def remove(path: Path) -> None:
    """Remove a tree that a sandbox wrote, whatever user owns its files; it may be missing."""
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
        """Return the exit code; *last* explains a sandbox that never started."""
        code = self.launcher.wait()
        status = os.read(self.status, 4096).decode(errors="replace")
        if status.startswith("+"):
            return code
        raise SandboxFailed(
            f"this machine refused a sandbox: {status.removeprefix('-') or last or code}",
            hint="./inv doctor says what is missing",
        )


@contextlib.contextmanager
def _started(sandbox: Sandbox, *, stderr: int) -> Iterator[_Running]:
    # Through this pipe the sandbox reports '+' when the program starts, or '-' and why it cannot:
    # an exit code alone would not tell the two apart.
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
    # -I, -S and -B keep Python's start short, which is most of what an empty step costs.
    return (sys.executable, "-I", "-S", "-B", str(_INSIDE), json.dumps(config))


def _follow(output: BinaryIO, on_line: Callable[[str], None], stop: Callable[[], bool]) -> bool:
    """Pass each line to *on_line* until the output ends; return false once *stop* returns true."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while not stop():
            # The timeout lets *stop* be asked while the program is silent.
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
