"""The map of dependencies as a picture of its own: SVG, alone or in a page, with a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from imagebake.kernel.pages.html import STYLE

COLUMNS = (
    ("ring", "machine", "scale set", "reference", "more"),
    ("version",),
    ("image",),
    ("gallery", "marketplace image", "mirror", "identity", "subnet"),
)
"""Kinds from left to right: who needs stands left of what is needed."""
_HEADS = ("rings, and who uses it", "versions", "images", "what they stand on")
_USERS = ("machine", "scale set", "reference")
_TOGETHER = 6
"""So many users of the same things are drawn one by one; the rest of them are one box."""
_WIDTH, _HEIGHT, _GAP, _ROW, _TOP = 220, 38, 90, 50, 46
_LETTERS = 30

Drawing = Mapping[str, Sequence[Mapping[str, Any]]]
"""The JSON of a dependency map: its `nodes`, and its `needs`."""
_SVG_STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #1c2024 }
.kind, .head { fill: #565c63; font-size: 10px }
rect { fill: #f5f7f9; stroke: #98a0a8 } .version { fill: #e4f3ea } .ring { fill: #fdf3d8 }
path { fill: none; stroke: #98a0a8 } marker path { fill: #98a0a8; stroke: none }
@media (prefers-color-scheme: dark) { text { fill: #e6e8ea } .kind, .head { fill: #a9b0b7 }
rect { fill: #1d2126; stroke: #565c63 } .version { fill: #17331f } .ring { fill: #3b3113 } }
"""
_START = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
    ' style="min-width: {width}px" role="img" aria-label="What needs what">'
)
_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7"'
    ' markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>'
)


@dataclass(frozen=True, slots=True)
class _Box:
    """A thing in the picture, and the things that it needs with how it does."""

    id: str
    kind: str
    name: str
    needs: tuple[tuple[str, str], ...]


def map_svg(drawing: Drawing) -> str:
    """The picture alone: arrows point from what needs to what is needed."""
    boxes = _boxes(drawing)
    columns = _columns(boxes)
    places = {
        box.id: (number * (_WIDTH + _GAP) + 10, _TOP + row * _ROW)
        for number, column in enumerate(columns)
        for row, box in enumerate(column)
    }
    width = len(columns) * (_WIDTH + _GAP) - _GAP + 20
    height = _TOP + max((len(column) for column in columns), default=0) * _ROW + 10
    heads = (
        f'<text class="head" x="{number * (_WIDTH + _GAP) + 10}" y="24">{head}</text>'
        for number, head in enumerate(_HEADS)
    )
    arrows = (
        _arrow(places[box.id], places[what], f"{box.name} → {how}")
        for box in boxes
        for what, how in box.needs
        if what in places
    )
    drawn = (_drawn(box, places[box.id]) for column in columns for box in column)
    start = _START.format(width=width, height=height)
    style = f"<style>{_SVG_STYLE}</style>"
    return "\n".join([start, style, _TIP, *heads, *arrows, *drawn, "</svg>\n"])


def map_page(drawing: Drawing) -> str:
    """The picture in a page that needs nothing else, with every need in a table below it."""
    names = {str(node["id"]): f"{node['kind']} {node['name']}" for node in drawing["nodes"]}
    rows = "\n".join(
        f"<tr><td>{escape(names[one['who']])}</td><td>{escape(one['how'])}</td>"
        f"<td>{escape(names[one['what']])}</td></tr>"
        for one in drawing["needs"]
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What needs what</title><style>{STYLE}body {{ max-width: 84rem; }}</style></head><body>
<h1>What needs what</h1>
<p class="lead">Nothing here may be destroyed while something points at it.</p>
<div class="scroll">{map_svg(drawing)}</div>
<details><summary>All {len(drawing["needs"])} of them as a table</summary>
<div class="scroll"><table><thead><tr><th>who</th><th>how</th><th>needs</th></tr></thead><tbody>
{rows}
</tbody></table></div></details>
</body></html>
"""


def _boxes(drawing: Drawing) -> list[_Box]:
    needs: dict[str, list[tuple[str, str]]] = {}
    for one in drawing["needs"]:
        needs.setdefault(one["who"], []).append((one["what"], one["how"]))
    boxes = [
        _Box(node["id"], node["kind"], node["name"], tuple(needs.get(node["id"], ())))
        for node in drawing["nodes"]
    ]
    return list(_gathered(boxes))


def _gathered(boxes: Iterable[_Box]) -> Iterator[_Box]:
    """The boxes, of those that use just the same things no more than a few."""
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[_Box]] = {}
    for box in boxes:
        if box.kind in _USERS:
            alike.setdefault((box.kind, box.needs), []).append(box)
        else:
            yield box
    for (kind, needs), some in alike.items():
        yield from some[:_TOGETHER]
        if (left := len(some) - _TOGETHER) > 0:
            yield _Box(f"more {kind} {needs}", "more", f"{left:,} more {kind}s", needs)


def _columns(boxes: Sequence[_Box]) -> list[list[_Box]]:
    """The boxes by column; each stands near what it needs, as far as there is room."""
    rows: dict[str, float] = {}
    columns: list[list[_Box]] = []
    for kinds in reversed(COLUMNS):
        column = [box for box in boxes if box.kind in kinds]
        wanted = {box.id: _middle(box, rows) for box in column}
        column = sorted(column, key=_order(wanted))
        rows |= {box.id: float(row) for row, box in enumerate(column)}
        columns.insert(0, column)
    return columns


def _order(wanted: Mapping[str, float]) -> Callable[[_Box], tuple[float, bool, str, str]]:
    return lambda box: (wanted[box.id], box.kind != "ring", box.kind, box.name)


def _middle(box: _Box, rows: Mapping[str, float]) -> float:
    """The row in the middle of what *box* needs; the last one where that has no row."""
    known = [rows[what] for what, _ in box.needs if what in rows]
    return sum(known) / len(known) if known else float(len(rows))


def _drawn(box: _Box, place: tuple[int, int]) -> str:
    x, y = place
    name = box.name if len(box.name) <= _LETTERS else f"{box.name[: _LETTERS - 1]}…"
    return (
        f'<g><title>{escape(box.id)}</title><rect class="{escape(box.kind)}" x="{x}" y="{y}"'
        f' width="{_WIDTH}" height="{_HEIGHT}" rx="5"/>'
        f'<text class="kind" x="{x + 8}" y="{y + 14}">{escape(box.kind)}</text>'
        f'<text x="{x + 8}" y="{y + 30}">{escape(name)}</text></g>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int], title: str) -> str:
    (x1, y1), (x2, y2) = start, end
    middle = _HEIGHT // 2
    if x1 == x2:  # of the same kind: around on the left
        path = (
            f"M{x1} {y1 + middle}C{x1 - 40} {y1 + middle}"
            f" {x2 - 40} {y2 + middle} {x2} {y2 + middle}"
        )
    else:
        left, bend = x1 + _WIDTH, _GAP // 2
        path = (
            f"M{left} {y1 + middle}C{left + bend} {y1 + middle}"
            f" {x2 - bend} {y2 + middle} {x2} {y2 + middle}"
        )
    return f'<path d="{path}" marker-end="url(#tip)"><title>{escape(title)}</title></path>'


_SHAPES = {
    "image": ("[[", "]]"),
    "version": ("(", ")"),
    "ring": ("{{", "}}"),
    "gallery": ("[(", ")]"),
    "mirror": ("[(", ")]"),
}
_MOST = 300
"""A picture of more arrows shows nothing; the rest are counted."""


def mermaid(drawing: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The picture of a dependency map's JSON; arrows point from what needs to what is needed."""
    needs = drawing["needs"][:_MOST]
    used = {end for one in needs for end in (one["who"], one["what"])}
    names = {node["id"]: f"n{number}" for number, node in enumerate(drawing["nodes"])}
    lines = ["flowchart LR"]
    for node in drawing["nodes"]:
        if node["id"] in used or node["kind"] == "image":
            opening, closing = _SHAPES.get(node["kind"], ("[", "]"))
            label = f"{node['kind']}<br/>{_escaped(str(node['name']))}"
            lines.append(f'  {names[node["id"]]}{opening}"{label}"{closing}')
    lines += [
        f'  {names[one["who"]]} -->|"{_escaped(str(one["how"]))}"| {names[one["what"]]}'
        for one in needs
    ]
    if left := len(drawing["needs"]) - len(needs):
        lines.append(f'  more["and {left:,} more needs: --json has all of them"]')
    return "\n".join(lines) + "\n"


def markdown(drawing: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The picture in a page of Markdown."""
    return f"# What needs what\n\n```mermaid\n{mermaid(drawing)}```\n"


def _escaped(text: str) -> str:
    """*text* as a quoted label may have it."""
    replaced = text.replace("&", "&amp;").replace('"', "&quot;")
    return replaced.replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")
