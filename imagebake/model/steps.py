"""The shell steps that a spec has of its own."""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import Field

from imagebake.model.texts import CommandLine, StepName, Text
from imagebake.model.values import Value


class Network(enum.StrEnum):
    """Whether a step may talk to anything but the mirror."""

    UNPLUGGED = "unplugged"
    REQUIRED = "required"


Inline = Annotated[tuple[CommandLine, ...], Field(min_length=1, max_length=1000, strict=False)]
"""The lines of a shell script."""


class Customizer(Value):
    """A shell step of the spec's own; a non-zero exit of any line fails the bake."""

    name: StepName
    """What the step is called in the log."""
    inline: Inline
    """The script, line by line, for `/bin/sh -e`; `sudo` where root is needed."""
    network: Annotated[Network, Field(strict=False)] = Network.UNPLUGGED
    """`required` where the step must talk to more than the mirror, which earns a finding."""
    reason: Text | None = None
    """Why the image needs the step."""


class Validator(Value):
    """A check that runs on a machine made from the image; a non-zero exit fails the bake."""

    name: StepName
    """What the check is called in the log."""
    inline: Inline
    """The script, line by line, for `/bin/sh -e`."""
