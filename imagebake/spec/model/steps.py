"""The steps that a spec has of its own: each is of the kind that its key says."""

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
    """Whether a step may talk to anything but the mirror."""

    UNPLUGGED = "unplugged"
    REQUIRED = "required"


Inline = Annotated[tuple[CommandLine, ...], Field(min_length=1, max_length=1000, strict=False)]
"""The lines of a script."""

ExitCodes = Annotated[
    tuple[Annotated[int, Field(ge=0, le=4294967295)], ...],
    Field(max_length=50),
]
"""What a script may end with."""

_RIGHTS = frozenset({"elevated", "as_system", "exit_codes"})


class Fetched(Value):
    """A file that Azure itself fetches, before it starts the build machine's step."""

    file: HttpsAddress
    """Where it is, over https."""
    sha256: Sha256
    """The digest of its content, which Azure compares."""


class Placed(Fetched):
    """A file that Azure fetches and puts on the build machine."""

    destination: GuestPath
    """Where it is put: below `/tmp` on Linux, in a directory that exists on Windows."""


class _Step(Grown):
    name: StepName
    """What the step is called in the log."""


class _Rights(_Step):
    later: ClassVar[frozenset[str]] = _RIGHTS

    elevated: bool = False
    """On Windows: whether it runs with the rights of an administrator."""
    as_system: bool = False
    """On Windows, with `elevated`: whether it runs as the system's own account."""
    exit_codes: ExitCodes = ()
    """On Windows: what it may end with; 0 alone when empty."""


class InlineCustomizer(_Rights):
    """A script of the spec's own; a non-zero exit of any line fails the bake."""

    inline: Inline
    """The script, line by line: for `/bin/sh -e` (`sudo` for root), on Windows PowerShell."""
    network: Annotated[Network, Field(strict=False)] = Network.UNPLUGGED
    """`required` where the step must talk to more than the mirror, which earns a finding."""
    reason: Text | None = None
    """Why the image needs the step."""


class ScriptCustomizer(_Rights):
    """A script that Azure fetches and runs; the mirror does not have it."""

    script: Fetched
    """Where the script is, and its digest."""
    reason: Text | None = None
    """Why the image needs the step."""


class UploadCustomizer(_Step):
    """A file that Azure fetches and puts on the build machine; the mirror does not have it."""

    upload: Placed
    """Where the file is, its digest, and where it goes."""
    reason: Text | None = None
    """Why the image needs the step."""


class RestartTerms(Value):
    """How Windows restarts; Azure's own ways where nothing is said."""

    command: CommandLine | None = None
    """The command that restarts it."""
    check: CommandLine | None = None
    """The command that tells whether it is back."""
    timeout: Duration | None = None
    """So long it may take: five minutes when absent."""


class RestartCustomizer(_Step):
    """A restart of the build machine, which Azure has for Windows only."""

    restart: RestartTerms
    """How it restarts; `{}` for Azure's own way."""
    reason: Text | None = None
    """Why the image needs the step."""


class UpdateTerms(Value):
    """Which updates are installed; the important ones where nothing is said."""

    search: CommandLine | None = None
    """The criteria that updates are searched by."""
    filters: Annotated[tuple[CommandLine, ...], Field(max_length=50)] = ()
    """What is included of those found, and excluded, one after the other."""
    limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    """So many at most in one go: a thousand when absent."""


class UpdateCustomizer(_Step):
    """Windows Update; what it installs is in no lock."""

    update: UpdateTerms
    """Which updates; `{}` for the important ones."""
    reason: Text | None = None
    """Why the image needs the step."""


class InlineValidator(_Rights):
    """A check that runs on a machine made from the image; a non-zero exit fails the bake."""

    inline: Inline
    """The script, line by line: for `/bin/sh -e`, on Windows PowerShell."""


class ScriptValidator(_Rights):
    """A check that Azure fetches and runs; the mirror does not have it."""

    script: Fetched
    """Where the script is, and its digest."""


class UploadValidator(_Step):
    """A file that Azure puts on the machine on which the checks run."""

    upload: Placed
    """Where the file is, its digest, and where it goes."""


CUSTOMIZER_KINDS = ("inline", "script", "upload", "restart", "update")
"""The key that says which kind of customizer it is."""

VALIDATOR_KINDS = ("inline", "script", "upload")
"""The key that says which kind of validator it is."""


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
    """The customizers among *steps* that a spec has line by line."""
    return (step for step in steps if isinstance(step, InlineCustomizer))


COMMAND = (
    r"(?:^|[;&|(]|\b(?:sudo|then|do|else|exec|env)\s)\s*(?:sudo\s+)?(?:-\w+\s+)*(?:\w+=\S*\s+)*"
)
"""Where a shell line may start a command: roughly, and without parsing quotes."""

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
"""What fetches, by the name of the program; the first that matches a line is meant."""


def download_in(line: str) -> str | None:
    """The program that *line* fetches with; None where it fetches nothing that is known."""
    return next((name for name, pattern in DOWNLOADS if pattern.search(line)), None)
