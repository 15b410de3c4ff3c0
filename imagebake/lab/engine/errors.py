"""The one way a local build fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from imagebake.kernel.errors import ImagebakeError


class EngineFailed(ImagebakeError):
    """A build that broke, with the code that Azure's operation would carry.

    *step* names the customizer or validator that broke, *output* is the last of what it
    printed. *record* is set when an image was made all the same, because a failed validation
    was told not to stop its distribution.
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
    """A template that is in order, and that this builder cannot run."""


class Cancelled(EngineFailed):
    """The build was told to stop, and has."""

    def __init__(self) -> None:
        super().__init__("the build was cancelled", code="Canceled")
