"""A comparison of two versions as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from imagebake.kernel.pages.html import STYLE
from imagebake.model.differences import QUIET, Area, Difference, ImageDiff
from imagebake.reports.diff import COLUMNS, MOST, headline, measures, rows

_SIGNS = {"+": "kept", "-": "broken", "~": ""}


def page(diff: ImageDiff) -> str:
    """The whole comparison as one HTML document."""
    title = f"{diff.old} → {diff.new}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(headline(diff))}.</p>',
        *_measures(diff),
        *(part for area, found in diff.areas() for part in _area(area, found)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _measures(diff: ImageDiff) -> Iterator[str]:
    if told := measures(diff):
        yield _table(("", "from → to", "by"), told)


def _area(area: Area, differences: Sequence[Difference]) -> Iterator[str]:
    lines = rows(area, differences)
    if area in QUIET:
        yield f"<h2>{escape(area.value)}</h2>"
        yield _folded(f"{len(differences)} paths", lines)
        return
    yield f"<h2>{escape(area.value)}</h2>"
    yield _table(COLUMNS, lines[:MOST])
    if len(lines) > MOST:
        yield _folded(f"{len(lines) - MOST} more", lines[MOST:])


def _folded(summary: str, lines: Sequence[Sequence[str]]) -> str:
    return f"<details><summary>{escape(summary)}</summary>{_table(COLUMNS, lines)}</details>"


def _table(header: Iterable[str], lines: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(_row(line) for line in lines)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _row(line: Sequence[str]) -> str:
    kind = _SIGNS.get(line[0], "")
    first = f'<td class="{kind}">' if kind else "<td>"
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in line[1:])
    return f"<tr>{first}{escape(line[0])}</td>{cells}</tr>"
