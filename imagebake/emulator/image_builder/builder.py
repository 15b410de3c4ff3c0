"""What stands behind an image template's `run` action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

SUB_STATES = ("Queued", "Building", "Customizing", "Optimizing", "Validating", "Distributing")
"""The run sub-states of Azure Image Builder, in their order."""


class BuildFailed(Exception):
    """The build broke: *code* and *message* become the run's error.

    *record* is set when only the validation failed: a template that says
    `continueDistributeOnFailure` is then distributed, and its run reported failed.
    """

    def __init__(self, code: str, message: str, *, record: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.record = record


class Builder(Protocol):
    """Builds what an image template describes."""

    def build(
        self,
        template: Mapping[str, Any],
        *,
        log: Path,
        on_state: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Mapping[str, Any]:
        """Build *template*, the whole ARM body, and return the image's record.

        The record is any JSON object; it is kept beside the gallery version. Output is
        appended to *log*. *on_state* takes the sub-states of `SUB_STATES`. *cancelled* is
        cheap to ask; once it is true, stop, by any exception. Raises `BuildFailed`.
        """
        ...
