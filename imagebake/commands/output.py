"""Results on standard output: tables for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from imagebake.digest import canonical_json

_GAP = "  "
_KIBI = 1024


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON is what it is
    """Print *value* in its canonical form."""
    sys.stdout.write(canonical_json(value).decode())


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns, the header first; nothing is cut, so that pipes lose nothing."""
    print(table(header, rows))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Aligned columns as text, without trailing blanks."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def size(count: int) -> str:
    """A number of bytes in its largest unit: `1.5 GiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < _KIBI:
            return f"{amount:.0f} {unit}"
        amount /= _KIBI
    return f"{amount:.1f} GiB"
