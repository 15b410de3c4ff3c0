"""Lookup of Azure's error messages in the catalogue of known errors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imagebake.azure.error_catalog.builds import BUILDS, TEMPLATES
from imagebake.azure.error_catalog.galleries import GALLERIES
from imagebake.azure.error_catalog.known_error import KnownError
from imagebake.azure.error_catalog.requests import ARM


@dataclass(frozen=True, slots=True)
class CatalogChapter:
    """Entries about one topic, and the source of their messages."""

    title: str
    source: str
    errors: tuple[KnownError, ...]


CHAPTERS = (
    CatalogChapter(
        "Image templates",
        "Microsoft's *Troubleshoot Azure VM Image Builder*, and the error codes of its API",
        TEMPLATES,
    ),
    CatalogChapter(
        "Builds", "Microsoft's *Troubleshoot Azure VM Image Builder*, and build logs", BUILDS
    ),
    CatalogChapter(
        "Galleries", "Microsoft's *Troubleshoot images in an Azure Compute Gallery*", GALLERIES
    ),
    CatalogChapter(
        "Every request", "the common error codes of Azure Resource Manager and Entra", ARM
    ),
)
"""In order of lookup: specific topics before those that match every request."""

KNOWN_ERRORS = tuple(entry for chapter in CHAPTERS for entry in chapter.errors)
"""All entries; no two of them match the same message."""

LATE_DISTRIBUTION = "distribution-timeout"
"""Id of the error of a run that failed although its version may still be distributed."""


def known_error(code: str, message: str) -> KnownError | None:
    """Return the catalogue's entry for an error, or None."""
    text = f"{code}: {' '.join(message.split())}"
    return next((entry for entry in KNOWN_ERRORS if entry.matches(text)), None)


def known_build_error(line: str) -> KnownError | None:
    """Return the entry for a line of a build's output, from the entries about builds, or None."""
    text = re.sub(r"\s+", " ", line)
    return next((entry for entry in BUILDS if entry.matches(text)), None)
