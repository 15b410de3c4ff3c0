"""The ways in which a local build fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from imagebake.kernel.errors import ImagebakeError


class EngineFailed(ImagebakeError):
    """A failed build, with the code that Azure's operation would carry.

    *step* is the customizer or validator that failed, *output* the last lines it printed. *record*
    is set if an image was made all the same: a template may ask to distribute an image whose
    validation failed.
    """

    exit_code: ClassVar[int] = 7

    def __init__(
        self,
        message: str,
        *,
        code: str = "PackerBuildFailed",
        step: str = "",
        output: str = "",
        record: Mapping[str, Any] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.step = step
        self.output = output
        self.record = record


class UnsupportedTemplate(EngineFailed):
    """A valid template that this builder cannot run."""


class Cancelled(EngineFailed):
    """A build that was stopped on request."""

    def __init__(self) -> None:
        super().__init__("the build was cancelled", code="Canceled")
