"""Results on standard output: tables for people, JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from imagebake.kernel.digest import canonical_json
from imagebake.kernel.errors import RolloutRefused, UsageError

_GAP = "  "
_KIBI = 1024


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON is what it is
    """Print *value* as canonical JSON: sorted keys, two blanks of indent."""
    sys.stdout.write(canonical_json(value).decode())


def print_text(text: str, *, end: str = "\n") -> None:
    """Print *text* and flush it, so that it precedes the progress of later steps."""
    print(text, end=end, flush=True)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns, the header first; nothing is cut, so that pipes lose nothing."""
    print_text(format_table(header, rows))


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return aligned columns as text, without trailing blanks."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def format_size(count: int) -> str:
    """Return *count* bytes in their largest unit: `1.5 GiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < _KIBI:
            return f"{amount:.0f} {unit}"
        amount /= _KIBI
    return f"{amount:.1f} GiB"


def put_output(name: str, value: object) -> None:
    """Set the output *name* of a GitHub Actions step to *value*, as JSON on one line.

    Outside of GitHub Actions nothing happens.
    """
    _append("GITHUB_OUTPUT", f"{name}={_one_line(value)}\n")


def put_summary(markdown: str) -> None:
    """Add *markdown* to the summary of a GitHub Actions job; elsewhere do nothing."""
    _append("GITHUB_STEP_SUMMARY", markdown.rstrip("\n") + "\n\n")


def _one_line(value: object) -> str:
    return " ".join(canonical_json(value).decode().split("\n")).strip()


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


SHORTEST = 6
"""Digits of a plan's digest that are enough for `--expect`: 24 bits, against a typing error."""


def require_digest(digest: str, expect: str) -> None:
    """Raise `RolloutRefused` unless the *digest* of a plan begins with *expect*.

    An empty *expect* accepts every plan; one that is too short is a `UsageError`.
    """
    if expect and len(expect) < SHORTEST:
        raise UsageError(
            f"{expect!r} is too short for the digest of a plan",
            hint=f"give at least {SHORTEST} of its digits",
        )
    if expect and not digest.startswith(expect.lower()):
        raise RolloutRefused(
            f"the plan is no longer {expect}: it is {digest[:12]}",
            hint="look at the plan above; what it is made from has changed",
        )
