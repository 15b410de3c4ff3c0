"""Interface to the builder behind an image template's `run` action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

SUB_STATES = ("Queued", "Building", "Customizing", "Optimizing", "Validating", "Distributing")
"""Azure Image Builder's `runSubState` values, in order."""


class BuildFailed(Exception):
    """The build failed: *code* and *message* become the run's error.

    *record* is set if only the validation failed. With `continueDistributeOnFailure` the image is
    then distributed, although the run has failed.
    """

    def __init__(self, code: str, message: str, *, record: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.record = record


class Builder(Protocol):
    """Builds the image that a template describes."""

    def build(
        self,
        template: Mapping[str, Any],
        *,
        log: Path,
        on_state: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> Mapping[str, Any]:
        """Build *template*, the whole ARM body, and return the image record.

        The record is any JSON object; it is stored beside the gallery version. Output is appended
        to *log*. *on_state* accepts the values of `SUB_STATES`. *cancelled* is cheap to call;
        once it returns true, stop by raising any exception. Raises `BuildFailed`.
        """
        ...
