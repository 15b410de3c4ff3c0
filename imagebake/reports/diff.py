"""What differs between two versions, in words: for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from imagebake.kernel.pages.markdown import code, folded, plain, table
from imagebake.model.contrast import folders
from imagebake.model.differences import QUIET, Area, Difference, ImageDiff, Measure

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
