"""The error boundary of a command: turn a failure into a message and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Iterator

from invoke.exceptions import Exit

from imagebake.kernel.context import format_error
from imagebake.kernel.errors import ArtifactError, ImagebakeError, UsageError

BUG = 1


INTERRUPTED = 130


@contextlib.contextmanager
def boundary() -> Iterator[None]:
    """Print the message of a failure, and raise invoke's `Exit` with its exit code.

    Expected errors are one message; a bug is a traceback and the place to report it.
    """
    try:
        yield
    except ImagebakeError as error:
        print(format_error(error, annotate="GITHUB_ACTIONS" in os.environ), file=sys.stderr)
        raise Exit(code=error.exit_code) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise Exit(code=INTERRUPTED) from None
    except (Exit, BrokenPipeError):
        raise
    except Exception as error:
        if trouble := machine_trouble(error):
            print(format_error(trouble), file=sys.stderr)
            raise Exit(code=trouble.exit_code) from None
        traceback.print_exc()
        print(
            "error: this is a mistake in imagebake, not in your files\n"
            "  = hint: please open an issue with the lines above and the command you typed",
            file=sys.stderr,
        )
        raise Exit(code=BUG) from None


def machine_trouble(error: Exception) -> ImagebakeError | None:
    """Return the error for a full disk or an unusable path; None for any other exception."""
    if not isinstance(error, OSError):
        return None
    where = error.filename2 or error.filename
    if error.errno in _FULL:
        place = f"the disk of {where}" if where else "a disk"
        return ArtifactError(
            f"{place} is full",
            hint="./inv clean makes room; IMAGEBAKE_STATE moves the state to another disk",
        )
    if error.errno not in _UNUSABLE or where is None:
        return None
    return UsageError(f"{where} cannot be used: {error.strerror}")


_FULL = (errno.ENOSPC, errno.EDQUOT)


_UNUSABLE = (
    errno.EACCES,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)
