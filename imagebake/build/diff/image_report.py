"""What differs between two versions, in words: for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from imagebake.build.diff.image_diff import QUIET, Area, Difference, ImageDiff, Measure, folders
from imagebake.kernel.pages.html import STYLE
from imagebake.kernel.text.markdown import code, folded, plain, table

COLUMNS = ("", "what", "from → to", "")
MOST = 40
"""So many differences of one area are shown at once; the rest is behind a line that opens."""

_FOLDERS = 15
_KIBI = 1024


def headline(diff: ImageDiff) -> str:
    """The result in a sentence."""
    if not diff.differences:
        return f"{diff.old} and {diff.new} have the same content"
    return f"{diff.new} differs from {diff.old} in {_counts(diff)}"


def measures(diff: ImageDiff) -> list[tuple[str, str, str]]:
    """How much there was and is, and by how much it grew."""
    if diff.before is None or diff.after is None:
        return []
    before, after = diff.before, diff.after
    return [
        ("size", _moved(size(before.size), size(after.size)), _grown(before, after)),
        ("files", _moved(str(before.files), str(after.files)), f"{after.files - before.files:+}"),
        (
            "packages",
            _moved(str(before.packages), str(after.packages)),
            f"{after.packages - before.packages:+}",
        ),
    ]


def rows(area: Area, differences: Sequence[Difference]) -> list[tuple[str, ...]]:
    """The differences of one area under `COLUMNS`; what follows from others is counted."""
    if area in QUIET:
        counted = _folders(differences)
        return [("~", folder, _paths(count), "") for folder, count in counted]
    return [(one.sign, one.name, one.moved, one.note) for one in differences]


def markdown(diff: ImageDiff) -> str:
    """Everything as Markdown."""
    parts = [f"### {code(diff.old)} → {code(diff.new)}", f"{plain(headline(diff))}."]
    if told := measures(diff):
        parts.append(table(("", "from → to", "by"), told))
    for area, differences in diff.areas():
        lines = [
            (code(sign), code(name), " → ".join(code(text) for text in moved.split(" → ") if text),
             plain(note))
            for sign, name, moved, note in rows(area, differences)
        ]  # fmt: skip
        parts.append(f"**{area.value}**" if area not in QUIET else "")
        if area in QUIET:
            parts.append(folded(f"{area.value}: {_paths(len(differences))}", table(COLUMNS, lines)))
            continue
        parts.append(table(COLUMNS, lines[:MOST]))
        if len(lines) > MOST:
            parts.append(folded(f"{len(lines) - MOST} more", table(COLUMNS, lines[MOST:])))
    return "\n\n".join(part for part in parts if part) + "\n"


def size(count: int) -> str:
    """A number of bytes in MiB."""
    return f"{count / _KIBI / _KIBI:.1f} MiB"


def _grown(before: Measure, after: Measure) -> str:
    return f"{(after.size - before.size) / _KIBI / _KIBI:+.1f} MiB"


def _paths(count: int) -> str:
    return f"{count} path{'' if count == 1 else 's'}"


def _moved(old: str, new: str) -> str:
    return old if old == new else f"{old} → {new}"


def _counts(diff: ImageDiff) -> str:
    counted = [f"{area.value.lower()} ({len(found)})" for area, found in diff.areas()]
    return ", ".join(counted)


def _folders(differences: Iterable[Difference]) -> list[tuple[str, int]]:
    found = folders(differences)
    rest = sum(count for _, count in found[_FOLDERS:])
    return found[:_FOLDERS] + ([("elsewhere", rest)] if rest else [])


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
