"""What Azure's error messages mean: one entry for each that has a known cause and a way out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagebake.azure.error_catalog.builds import BUILDS, TEMPLATES
from imagebake.azure.error_catalog.galleries import GALLERIES
from imagebake.azure.error_catalog.known_error import Meaning
from imagebake.azure.error_catalog.requests import ARM


@dataclass(frozen=True, slots=True)
class Chapter:
    """The entries about one thing, and where their messages were found."""

    title: str
    source: str
    meanings: tuple[Meaning, ...]


CHAPTERS = (
    Chapter(
        "Image templates",
        "Microsoft's *Troubleshoot Azure VM Image Builder*, and the error codes of its API",
        TEMPLATES,
    ),
    Chapter("Builds", "Microsoft's *Troubleshoot Azure VM Image Builder*, and build logs", BUILDS),
    Chapter(
        "Galleries", "Microsoft's *Troubleshoot images in an Azure Compute Gallery*", GALLERIES
    ),
    Chapter("Every request", "the common error codes of Azure Resource Manager and Entra", ARM),
)
"""In the order in which they are asked: what is said about one thing before what holds for all."""

MEANINGS = tuple(meaning for chapter in CHAPTERS for meaning in chapter.meanings)
"""All entries; no two of them claim one message."""

LATE_DISTRIBUTION = "distribution-timeout"
"""The run has failed, and its version may be there all the same a little later."""


def meaning(code: str, message: str) -> Meaning | None:
    """What an error *code* with *message* means, where that is known."""
    text = f"{code}: {' '.join(message.split())}"
    return next((one for one in MEANINGS if one.claims(text)), None)


def meaning_of_line(line: str) -> Meaning | None:
    """What one line of a build's output means; only entries about builds are asked."""
    text = re.sub(r"\s+", " ", line)
    return next((one for one in BUILDS if one.claims(text)), None)
