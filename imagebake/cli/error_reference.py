"""The error catalogue: every code of a mistake in a file, every kind of failure, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from imagebake.audit import findings
from imagebake.audit.draft import model
from imagebake.azure.error_catalog.lookup import CHAPTERS, CatalogChapter
from imagebake.azure.model import inventory_file
from imagebake.kernel import errors, settings

HEAD = """# Errors

Written by `./inv generate`; do not edit.

A mistake in a file is shown with its place, its code and what to do next, and all mistakes of all
files are shown together. Findings of rules have codes of their own: see [Rules](rules.md).
Everything else ends with one sentence and an [exit code](tasks.md#exit-codes).
"""

FOREIGN = (
    (
        "J001",
        "a file is not JSON",
        (
            "`./inv try` reads JSON as the service does: no comments, no trailing commas. "
            "`./inv import` and `./inv debt` read it as deployments do: with comments, and with "
            "texts over several lines."
        ),
    ),
    (
        "J002",
        "a file is not Bicep",
        "`./inv debt` leaves out the statement that the mistake is in, and reads the rest.",
    ),
    (
        "J003",
        "a file is not Terraform",
        "`./inv debt` leaves out the block that the mistake is in, and reads the rest.",
    ),
    (
        "J004",
        "a file cannot be read",
        "It is not UTF-8, larger than 16 MiB, or this user may not read it.",
    ),
)
"""Mistakes in the files of others."""


_NO_FAILURE = (
    f"`./inv plan` and `./inv diff` end with {errors.CHANGES} when they are given `--exit-code` and"
    " something changes: that is an answer, not a failure."
)

_AZURE = """\
What Azure answers is printed in its own words, with its code. Where the message is one of these,
`cause` and `hint` follow. What is looked for is a regular expression in `CODE: MESSAGE`; no two of
them claim one message."""

_SETTINGS = tuple(
    (code, title, f"In `{settings.FILE}`; [Tasks](tasks.md#settings) has every setting.")
    for code, title in settings.CODES.items()
)

_INVENTORY = tuple(
    (code, title, "In the file of `./inv retire --inventory`; `--json` of a rollout writes one.")
    for code, title in inventory_file.CODES.items()
)


_IMPORT = tuple(
    (
        code,
        title,
        "Found by `./inv import`; [Import and debt](../how-to/import-and-debt.md) explains it.",
    )
    for code, title in model.CODES.items()
)

_DEBT = tuple(
    (rule.id, rule.title, f"Found by `./inv debt`. On 2 February 2026 {rule.outage}.")
    for rule in findings.RULES
)


def errors_page(codes: Iterable[tuple[str, str, str]]) -> str:
    """The page `docs/reference/errors.md`; *codes* are code, title and explanation."""
    parts = [HEAD, "## Mistakes in files", ""]
    for code, title, explanation in (
        *codes,
        *_SETTINGS,
        *_INVENTORY,
        *FOREIGN,
        *_IMPORT,
        *_DEBT,
    ):
        parts += [f"### {code}", "", f"**{title}.** {explanation}", ""]
    parts += ["## Kinds of failure", "", "| exit | kind | what it is |", "|--:|---|---|"]
    for kind in _kinds():
        parts.append(f"| {kind.exit_code} | `{kind.__name__}` | {_summary(kind)} |")
    parts += ["", _NO_FAILURE, "", "## What Azure says", "", _AZURE]
    for chapter in CHAPTERS:
        parts += ["", *_chapter(chapter)]
    return "\n".join([*parts, ""])


def _chapter(chapter: CatalogChapter) -> list[str]:
    lines = [f"### {chapter.title}", "", f"From {chapter.source}.", ""]
    for known in chapter.errors:
        pattern = known.pattern.replace("`", "'")
        lines += [f"**{known.id}**: `{pattern}`", "", f"- cause: {known.cause}"]
        lines += [f"- next: {known.hint}", ""]
    return lines[:-1]


def _kinds() -> list[type[errors.ImagebakeError]]:
    found = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ImagebakeError)
    ]
    leaves = [kind for kind in found if kind is not errors.ImagebakeError]
    return sorted(leaves, key=lambda kind: (kind.exit_code, kind.__name__))


def _summary(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split("\n\n")[0].split())
