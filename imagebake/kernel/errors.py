"""Exceptions with their exit codes: one class for each kind of next step.

ImagebakeError                      exit
├─ UsageError                         2   the command line is wrong
├─ SpecError (diagnostics)            2   your file is wrong
├─ LockError                          2   the lock is stale, missing or not ours
├─ RenderError                        2   a template cannot be rendered
├─ ValidationFailed (findings)        3   the image or the spec breaks a rule
├─ RolloutRefused                     4   protected: in use, no rollback target, ring skipped
├─ ArtifactError                      5   unavailable, or with the wrong digest
├─ CloudError (code, correlation id)  6   Azure refused a request
├─ BakeFailed (run state, log path)   7   the build failed
├─ HeartbeatMissed                    9   machines cannot be created, not because of the image
└─ NotNow                            75   a freeze window or an incident
anything else                         1   our bug
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.text.redaction import redact

CHANGES = 8
"""The exit code that is no failure: with `--exit-code`, something changes."""


class ImagebakeError(Exception):
    """A failure that the user can act on.

    The message is one sentence about what is wrong, without a full stop; *cause* quotes another
    program's reason; *hint* says what to do next, ideally a command.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, cause: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.hint = hint


class UsageError(ImagebakeError):
    """The command line names something that does not exist or does not fit."""

    exit_code = 2


class SpecError(ImagebakeError):
    """The user's file is wrong; *diagnostics* has every mistake found in it."""

    exit_code = 2

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics))
        count = len(self.diagnostics)
        paths = sorted({diagnostic.path for diagnostic in diagnostics})
        where = paths[0] if len(paths) == 1 else f"{len(paths)} files"
        super().__init__(f"{count} mistake{'s' if count != 1 else ''} in {where}")


class LockError(ImagebakeError):
    """The lock is stale, missing, or contradicts its spec."""

    exit_code = 2


class RenderError(ImagebakeError):
    """A template cannot be rendered, or its result is no image template."""

    exit_code = 2


class ValidationFailed(ImagebakeError):
    """The spec or the image breaks a rule; the findings have been reported."""

    exit_code = 3


class RolloutRefused(ImagebakeError):
    """The version is protected, or no other version could replace it."""

    exit_code = 4


class ArtifactError(ImagebakeError):
    """An artifact is unavailable, too large, or has the wrong digest."""

    exit_code = 5


class CloudError(ImagebakeError):
    """Azure (or the emulator) refused a request; its message is redacted."""

    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        correlation_id: str = "",
        cause: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(redact(message), cause=cause, hint=redact(hint) if hint else None)
        self.code = code
        self.correlation_id = correlation_id

    @property
    def azure_message(self) -> str:
        """Azure's own message, without imagebake's words around it."""
        _, _, words = self.message.partition(f"{self.code}: ")
        return (words or self.message).partition(" (correlation id ")[0]


class BakeFailed(ImagebakeError):
    """The build ran and failed; *log* is the file with its output, if there is one."""

    exit_code = 7

    def __init__(
        self,
        message: str,
        *,
        run_state: str = "Failed",
        log: Path | None = None,
        cause: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(redact(message), cause=cause, hint=redact(hint) if hint else None)
        self.run_state = run_state
        self.log = log


class HeartbeatMissed(ImagebakeError):
    """Machines cannot be created, for a reason outside the image, or an unknown one."""

    exit_code = 9


class NotNow(ImagebakeError):
    """A freeze window is open or an incident is under way; try again later."""

    exit_code = 75
