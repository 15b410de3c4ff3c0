"""Subprocesses: the only module that starts other programs."""

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
"""Merges standard error into standard output."""

PIPED = subprocess.PIPE
"""A stream connected to this process."""

IGNORED = subprocess.DEVNULL
"""A stream that is discarded."""

_SHOWN_LINES = 15


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """The exit code and output of a finished program."""

    command: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output, decoded; undecodable bytes are replaced."""
        return self.stdout.decode(errors="replace")


class ProgramFailed(ImagebakeError):
    """A required program failed; the message ends with the last lines of its output."""

    def __init__(self, outcome: ProcessResult, *, hint: str | None = None) -> None:
        output = (outcome.stderr or outcome.stdout).decode(errors="replace").strip()
        tail = "\n".join(output.splitlines()[-_SHOWN_LINES:])
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
    """Run *command* to its end and return its result.

    Raises `ProgramFailed` on a non-zero exit code unless *check* is false. A missing program
    ends with code 127; one that exceeds *timeout* seconds is killed and ends with 124. *env*
    replaces the environment.
    """
    words = tuple(str(word) for word in command)
    try:
        done = subprocess.run(  # noqa: S603 - an argument list, never a shell
            words,
            # Not our own standard input: a program that asks a question reads its end instead.
            input=stdin or b"",
            capture_output=True,
            env=env,
            cwd=cwd,
            check=False,
            timeout=timeout,
        )
        outcome = ProcessResult(words, done.returncode, done.stdout, done.stderr)
    except FileNotFoundError:
        # 127 and 124 are what a shell and timeout(1) return.
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
    """Start *command* and return it running; the caller must wait for it."""
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
    """Terminate *running*, and kill it if it still runs after *patience* seconds."""
    if running.poll() is not None:
        return
    running.terminate()
    try:
        running.wait(patience)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def run_on_terminal(command: Sequence[str | Path], *, cwd: Path | None = None) -> int:
    """Run *command* on the user's terminal and return its exit code."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, check=False).returncode  # noqa: S603 - as above


def find(program: str) -> Path | None:
    """Return the path of *program*, searching the system directories as well; None when missing."""
    # Debian leaves /usr/sbin out of an ordinary user's PATH.
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    return Path(found) if found else None
