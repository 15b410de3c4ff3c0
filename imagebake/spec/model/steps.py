"""Customizers and validators of a spec; a step's key says its kind."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Discriminator, Field, Tag

from imagebake.spec.model.base import Grown, Value
from imagebake.spec.model.types import (
    CommandLine,
    Duration,
    GuestPath,
    HttpsAddress,
    Sha256,
    StepName,
    Text,
)


class Network(enum.StrEnum):
    """Whether a step may reach anything but the mirror."""

    UNPLUGGED = "unplugged"
    REQUIRED = "required"


Inline = Annotated[tuple[CommandLine, ...], Field(min_length=1, max_length=1000, strict=False)]
"""The lines of a script."""

ExitCodes = Annotated[
    tuple[Annotated[int, Field(ge=0, le=4294967295)], ...],
    Field(max_length=50),
]
"""Exit codes that count as success."""

_RIGHTS = frozenset({"elevated", "as_system", "exit_codes"})


class Fetched(Value):
    """A file that Azure itself downloads before it starts the step."""

    file: HttpsAddress
    """The https address of the file."""
    sha256: Sha256
    """The sha256 of its content, which Azure verifies."""


class Placed(Fetched):
    """A file that Azure downloads and copies to the build machine."""

    destination: GuestPath
    """Its path there: below `/tmp` on Linux, in an existing directory on Windows."""


class _Step(Grown):
    name: StepName
    """The step's name in the build log."""


class _Rights(_Step):
    later: ClassVar[frozenset[str]] = _RIGHTS

    elevated: bool = False
    """On Windows: whether it runs with administrator rights."""
    as_system: bool = False
    """On Windows, with `elevated`: whether it runs as the LocalSystem account."""
    exit_codes: ExitCodes = ()
    """On Windows: exit codes that count as success; only 0 when empty."""


class InlineCustomizer(_Rights):
    """A script in the spec itself; a line with a non-zero exit code fails the bake."""

    inline: Inline
    """The script, line by line: for `/bin/sh -e` (`sudo` for root), on Windows PowerShell."""
    network: Annotated[Network, Field(strict=False)] = Network.UNPLUGGED
    """`required` if the step must reach more than the mirror; this raises a finding."""
    reason: Text | None = None
    """Why the image needs the step."""


class ScriptCustomizer(_Rights):
    """A script that Azure downloads and runs; it is not in the mirror."""

    script: Fetched
    """The address and digest of the script."""
    reason: Text | None = None
    """Why the image needs the step."""


class UploadCustomizer(_Step):
    """A file that Azure downloads and copies to the build machine; it is not in the mirror."""

    upload: Placed
    """The address and digest of the file, and its destination."""
    reason: Text | None = None
    """Why the image needs the step."""


class RestartTerms(Value):
    """How Windows is restarted; Azure's defaults for absent keys."""

    command: CommandLine | None = None
    """The command that restarts it."""
    check: CommandLine | None = None
    """The command that checks whether it has restarted."""
    timeout: Duration | None = None
    """The longest a restart may take: five minutes when absent."""


class RestartCustomizer(_Step):
    """A restart of the build machine; Azure supports it on Windows only."""

    restart: RestartTerms
    """How it is restarted; `{}` for Azure's defaults."""
    reason: Text | None = None
    """Why the image needs the step."""


class UpdateTerms(Value):
    """The updates to install; the important ones by default."""

    search: CommandLine | None = None
    """The search criteria for updates."""
    filters: Annotated[tuple[CommandLine, ...], Field(max_length=50)] = ()
    """Include and exclude filters for the updates found, applied in order."""
    limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    """The most updates per batch: a thousand when absent."""


class UpdateCustomizer(_Step):
    """Windows Update; the updates that it installs are in no lock."""

    update: UpdateTerms
    """The updates to install; `{}` for the important ones."""
    reason: Text | None = None
    """Why the image needs the step."""


class InlineValidator(_Rights):
    """A check that runs on a machine made from the image; a non-zero exit code fails the bake."""

    inline: Inline
    """The script, line by line: for `/bin/sh -e`, on Windows PowerShell."""


class ScriptValidator(_Rights):
    """A check that Azure downloads and runs; it is not in the mirror."""

    script: Fetched
    """The address and digest of the script."""


class UploadValidator(_Step):
    """A file that Azure copies to the machine that runs the checks."""

    upload: Placed
    """The address and digest of the file, and its destination."""


CUSTOMIZER_KINDS = ("inline", "script", "upload", "restart", "update")
"""The key that says which kind of customizer a mapping is."""

VALIDATOR_KINDS = ("inline", "script", "upload")
"""The key that says which kind of validator a mapping is."""


def _kind(value: Any) -> str | None:  # noqa: ANN401 - what the text says, before it is checked
    keys = value if isinstance(value, dict) else getattr(value, "model_fields_set", ())
    return next((kind for kind in CUSTOMIZER_KINDS if kind in keys), None)


Customizer = Annotated[
    Annotated[InlineCustomizer, Tag("inline")]
    | Annotated[ScriptCustomizer, Tag("script")]
    | Annotated[UploadCustomizer, Tag("upload")]
    | Annotated[RestartCustomizer, Tag("restart")]
    | Annotated[UpdateCustomizer, Tag("update")],
    Discriminator(
        _kind,
        custom_error_type="customizer_kind",
        custom_error_message="a customizer is inline, a script, an upload, a restart or an update",
    ),
]
"""A step that changes the image."""

Validator = Annotated[
    Annotated[InlineValidator, Tag("inline")]
    | Annotated[ScriptValidator, Tag("script")]
    | Annotated[UploadValidator, Tag("upload")],
    Discriminator(
        _kind,
        custom_error_type="validator_kind",
        custom_error_message="a validator is inline, a script or an upload",
    ),
]
"""A step that checks it."""


def scripts(steps: Iterable[Customizer]) -> Iterator[InlineCustomizer]:
    """Yield the customizers among *steps* whose script is in the spec."""
    return (step for step in steps if isinstance(step, InlineCustomizer))


COMMAND = (
    r"(?:^|[;&|(]|\b(?:sudo|then|do|else|exec|env)\s)\s*(?:sudo\s+)?(?:-\w+\s+)*(?:\w+=\S*\s+)*"
)
"""Matches where a shell line may start a command: approximate, quotes are not parsed."""

_ADDRESS = r"(?:https?|ftp)://(?!127\.0\.0\.1|localhost|\[::1\])"

DOWNLOADS = tuple(
    (name, re.compile(COMMAND + pattern))
    for name, pattern in (
        ("curl", r"curl\b.*" + _ADDRESS),
        ("wget", r"wget\b.*" + _ADDRESS),
        ("apt", r"(?:apt-get|apt|aptitude)\s+(?:-\S+\s+)*(?:update|(?:dist-|full-)?upgrade)\b"),
        ("apt", r"(?:apt-get|apt|aptitude)\s+(?:-\S+\s+)*install\s+(?!.*(?:\s|^)\.?/)"),
        ("pip", r"(?:python3?\s+-m\s+)?pip3?\s+(?:install|download)\b(?!.*--no-index)"),
        ("npm", r"(?:npm|yarn|pnpm)\s+(?:install|ci|add|i)\b(?!.*--offline)"),
        ("git", r"git\s+(?:clone|fetch|pull|submodule\s+update)\b.*"),
        ("gem", r"gem\s+install\b(?!.*--local)"),
        ("go", r"go\s+(?:install|get)\b"),
        ("cargo", r"cargo\s+install\b(?!.*--offline)"),
        ("podman", r"(?:podman|docker|nerdctl|crictl)\s+(?:image\s+)?pull\b"),
        ("snap", r"snap\s+(?:install|refresh)\b"),
        ("az", r"az\s+extension\s+add\b"),
    )
)
"""Download programs by name, with their patterns; the first match in a line counts."""


def download_in(line: str) -> str | None:
    """Return the name of the program that *line* downloads with; None where none is recognised."""
    return next((name for name, pattern in DOWNLOADS if pattern.search(line)), None)
