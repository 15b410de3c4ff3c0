"""The error catalogue: every code of a mistake in a file, every kind of failure, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from imagebake import errors, settings
from imagebake.model import inventory_file

HEAD = """# Errors

Written by `./inv generate`; do not edit.

A mistake in a file is shown with its place, its code and what to do next, and all mistakes of all
files are shown together. Findings of rules have codes of their own: see [Rules](rules.md).
Everything else ends with one sentence and an [exit code](tasks.md#exit-codes).
"""

JSON_SYNTAX = (
    "J001",
    "an image template is not JSON",
    "`./inv try` reads JSON as Azure does: no comments, no trailing commas, double quotes only.",
)


_NO_FAILURE = (
    f"`./inv plan` and `./inv diff` end with {errors.CHANGES} when they are given `--exit-code` and"
    " something changes: that is an answer, not a failure."
)

_SETTINGS = tuple(
    (code, title, f"In `{settings.FILE}`; [Tasks](tasks.md#settings) has every setting.")
    for code, title in settings.CODES.items()
)

_INVENTORY = tuple(
    (code, title, "In the file of `./inv retire --inventory`; `--json` of a rollout writes one.")
    for code, title in inventory_file.CODES.items()
)


def errors_page(codes: Iterable[tuple[str, str, str]]) -> str:
    """The page `docs/errors.md`; *codes* are code, title and explanation."""
    parts = [HEAD, "## Mistakes in files", ""]
    for code, title, explanation in (*codes, *_SETTINGS, *_INVENTORY, JSON_SYNTAX):
        parts += [f"### {code}", "", f"**{title}.** {explanation}", ""]
    parts += ["## Kinds of failure", "", "| exit | kind | what it is |", "|--:|---|---|"]
    for kind in _kinds():
        parts.append(f"| {kind.exit_code} | `{kind.__name__}` | {_summary(kind)} |")
    parts += ["", _NO_FAILURE]
    return "\n".join([*parts, ""])


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
