"""The one door to other programs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebake.kernel.errors import ImagebakeError

Running = subprocess.Popen[bytes]
"""A program that `start` has started."""

MERGED = subprocess.STDOUT
"""Standard error into standard output."""

PIPED = subprocess.PIPE
"""A stream that we hold the other end of."""

IGNORED = subprocess.DEVNULL
"""A stream that nobody reads."""

_SHOWN_LINES = 15


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a program ended, with everything it said."""

    command: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output, decoded; undecodable bytes are replaced."""
        return self.stdout.decode(errors="replace")


class ProgramFailed(ImagebakeError):
    """A program that we need ended with an error; the message carries its last words."""

    def __init__(self, outcome: ProcessResult, *, hint: str | None = None) -> None:
        said = (outcome.stderr or outcome.stdout).decode(errors="replace").strip()
        tail = "\n".join(said.splitlines()[-_SHOWN_LINES:])
        shown = shlex.join(outcome.command)
        super().__init__(f"{shown} ended with {outcome.code}\n{tail}".rstrip(), hint=hint)
        self.outcome = outcome


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
    timeout: float | None = None,
) -> ProcessResult:
    """Run *command* to its end and say how it ended.

    Raises `ProgramFailed` on a non-zero exit unless *check* is false; a program that is
    not installed ends with 127. *env* replaces the environment; *timeout* is in seconds,
    and what has not ended by then is killed and ends with 124.
    """
    words = tuple(str(word) for word in command)
    try:
        done = subprocess.run(  # noqa: S603 - an argument list, never a shell
            words,
            input=stdin or b"",
            capture_output=True,
            env=env,
            cwd=cwd,
            check=False,
            timeout=timeout,
        )
        outcome = ProcessResult(words, done.returncode, done.stdout, done.stderr)
    except FileNotFoundError:
        outcome = ProcessResult(words, 127, b"", f"{words[0]}: not found".encode())
    except subprocess.TimeoutExpired as error:
        outcome = ProcessResult(words, 124, error.stdout or b"", error.stderr or b"timed out")
    if check and outcome.code:
        raise ProgramFailed(outcome)
    return outcome


def start(
    command: Sequence[str | Path],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.STDOUT,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start *command* and return it running; the caller waits for it, whatever happens."""
    return subprocess.Popen(  # noqa: S603 - an argument list, never a shell
        [str(word) for word in command],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=env,
        cwd=cwd,
        pass_fds=tuple(pass_fds),
    )


def end(running: Running, *, patience: float) -> None:
    """Ask *running* to end, and kill it when it has not after *patience* seconds."""
    if running.poll() is not None:
        return
    running.terminate()
    try:
        running.wait(patience)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def attached(command: Sequence[str | Path], *, cwd: Path | None = None) -> int:
    """Run *command* on our own terminal, and return the code that it ends with."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, check=False).returncode  # noqa: S603 - as above


def find(program: str) -> Path | None:
    """Where *program* is, looking in the system directories too; None when it is nowhere."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    return Path(found) if found else None
