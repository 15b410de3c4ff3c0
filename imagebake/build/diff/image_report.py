"""The comparison of two image versions as a sentence, as Markdown and as an HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imagebake.build.diff.image_diff import (
    QUIET,
    ContentArea,
    ContentDifference,
    ImageDiff,
    ImageSize,
    count_by_folder,
)
from imagebake.kernel.templating import render_page
from imagebake.kernel.text.markdown import code, folded, plain, table

COLUMNS = ("", "what", "from → to", "")
MOST = 40
"""Number of differences of one area shown at once; a fold holds the rest."""

_FOLDERS = 15
"""Number of folders listed by name; the paths of the rest are added up."""
_KIBI = 1024


def headline(diff: ImageDiff) -> str:
    """Sum up the comparison in a sentence, without a full stop."""
    if not diff.differences:
        return f"{diff.old} and {diff.new} have the same content"
    return f"{diff.new} differs from {diff.old} in {_counts(diff)}"


def measures(diff: ImageDiff) -> list[tuple[str, str, str]]:
    """List size, files and packages: from, to, and the growth; empty where one was not measured."""
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


def rows(area: ContentArea, differences: Sequence[ContentDifference]) -> list[tuple[str, ...]]:
    """List the differences of *area* under `COLUMNS`; quiet areas are counted by folder."""
    if area in QUIET:
        return [("~", folder, _paths(count), "") for folder, count in _folders(differences)]
    return [(found.sign, found.name, found.moved, found.note) for found in differences]


def markdown(diff: ImageDiff) -> str:
    """Write the whole comparison as Markdown."""
    parts = [f"### {code(diff.old)} → {code(diff.new)}", f"{plain(headline(diff))}."]
    if measured := measures(diff):
        parts.append(table(("", "from → to", "by"), measured))
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
    """Write a number of bytes in MiB."""
    return f"{count / _KIBI / _KIBI:.1f} MiB"


def _grown(before: ImageSize, after: ImageSize) -> str:
    return f"{(after.size - before.size) / _KIBI / _KIBI:+.1f} MiB"


def _paths(count: int) -> str:
    return f"{count} path{'' if count == 1 else 's'}"


def _moved(old: str, new: str) -> str:
    return old if old == new else f"{old} → {new}"


def _counts(diff: ImageDiff) -> str:
    counted = [f"{area.value.lower()} ({len(found)})" for area, found in diff.areas()]
    return ", ".join(counted)


def _folders(differences: Iterable[ContentDifference]) -> list[tuple[str, int]]:
    found = count_by_folder(differences)
    rest = sum(count for _, count in found[_FOLDERS:])
    return found[:_FOLDERS] + ([("elsewhere", rest)] if rest else [])


_SIGNS = {"+": "kept", "-": "broken", "~": ""}


def image_diff_page(diff: ImageDiff) -> str:
    """Render the whole comparison as one HTML document."""
    return render_page(
        "image_diff.html.j2",
        diff=diff,
        headline=headline(diff),
        measures=measures(diff),
        areas=[
            {
                "name": area.value,
                "quiet": area in QUIET,
                "count": len(differences),
                "rows": rows(area, differences),
            }
            for area, differences in diff.areas()
        ],
        columns=COLUMNS,
        signs=_SIGNS,
        most=MOST,
    )
