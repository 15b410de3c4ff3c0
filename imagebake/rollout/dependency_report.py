"""The dependency map as an SVG picture, as an HTML page with a table, and as a Mermaid chart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagebake.kernel.templating import render_page

COLUMNS = (
    ("ring", "machine", "scale set", "reference", "more"),
    ("version",),
    ("image",),
    ("gallery", "marketplace image", "mirror", "identity", "subnet"),
)
"""Kinds from left to right, so that most arrows point to the right."""
_HEADS = ("rings and users", "versions", "images", "dependencies")
_USERS = ("machine", "scale set", "reference")
_TOGETHER = 6
"""Number of users of the same resources drawn one by one; a last box counts the rest."""
_WIDTH, _HEIGHT, _GAP, _ROW, _TOP = 220, 38, 90, 50, 46
_LETTERS = 30
"""Letters of a name that fit into a box."""

Drawing = Mapping[str, Sequence[Mapping[str, Any]]]
"""The JSON of a dependency map: its `nodes`, and its `needs`."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A node of the map, or several that are drawn as one, with the ids that it needs and how."""

    id: str
    kind: str
    name: str
    needs: tuple[tuple[str, str], ...]


def map_svg(drawing: Drawing) -> str:
    """Draw the map; arrows point from a user to the resource that it needs."""
    return render_page("dependency_map.svg.j2", map=_layout(drawing))


def map_page(drawing: Drawing) -> str:
    """Render a page with the picture, and below it every need in a table."""
    return render_page(
        "dependency_map.html.j2",
        map=_layout(drawing),
        names={str(node["id"]): f"{node['kind']} {node['name']}" for node in drawing["nodes"]},
        needs=drawing["needs"],
    )


def _layout(drawing: Drawing) -> dict[str, Any]:
    """Place every node and arrow; sizes are in pixels."""
    nodes = _nodes(drawing)
    columns = _columns(nodes)
    lefts = [number * (_WIDTH + _GAP) + 10 for number in range(len(columns))]
    places = {
        node.id: (left, _TOP + row * _ROW)
        for left, column in zip(lefts, columns, strict=True)
        for row, node in enumerate(column)
    }
    return {
        "width": len(columns) * (_WIDTH + _GAP) - _GAP + 20,
        "height": _TOP + max((len(column) for column in columns), default=0) * _ROW + 10,
        "box_width": _WIDTH,
        "box_height": _HEIGHT,
        "heads": [{"x": x, "text": text} for x, text in zip(lefts, _HEADS, strict=True)],
        "arrows": [
            {"path": _arrow(places[node.id], places[what]), "title": f"{node.name} → {how}"}
            for node in nodes
            for what, how in node.needs
            if what in places
        ],
        "boxes": [_box(node, places[node.id]) for column in columns for node in column],
    }


def _box(node: _Node, place: tuple[int, int]) -> dict[str, Any]:
    x, y = place
    name = node.name
    label = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
    return {"id": node.id, "kind": node.kind, "label": label, "x": x, "y": y}


def _nodes(drawing: Drawing) -> list[_Node]:
    needs: dict[str, list[tuple[str, str]]] = {}
    for need in drawing["needs"]:
        needs.setdefault(need["who"], []).append((need["what"], need["how"]))
    nodes = [
        _Node(node["id"], node["kind"], node["name"], tuple(needs.get(node["id"], ())))
        for node in drawing["nodes"]
    ]
    return list(_grouped(nodes))


def _grouped(nodes: Iterable[_Node]) -> Iterator[_Node]:
    """Replace all but the first few users of the same resources by one node that counts them."""
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[_Node]] = {}
    for node in nodes:
        if node.kind in _USERS:
            alike.setdefault((node.kind, node.needs), []).append(node)
        else:
            yield node
    for (kind, needs), users in alike.items():
        yield from users[:_TOGETHER]
        if (left := len(users) - _TOGETHER) > 0:
            yield _Node(f"more {kind} {needs}", "more", f"{left:,} more {kind}s", needs)


def _columns(nodes: Sequence[_Node]) -> list[list[_Node]]:
    """Sort the nodes into columns, each node near those that it needs."""
    rows: dict[str, float] = {}
    columns: list[list[_Node]] = []
    # From right to left: a row can only follow rows that are known already.
    for kinds in reversed(COLUMNS):
        column = [node for node in nodes if node.kind in kinds]
        wanted = {node.id: _middle(node, rows) for node in column}
        column = sorted(column, key=_order(wanted))
        rows |= {node.id: float(row) for row, node in enumerate(column)}
        columns.insert(0, column)
    return columns


def _order(wanted: Mapping[str, float]) -> Callable[[_Node], tuple[float, bool, str, str]]:
    return lambda node: (wanted[node.id], node.kind != "ring", node.kind, node.name)


def _middle(node: _Node, rows: Mapping[str, float]) -> float:
    """Average the rows of the nodes that *node* needs; below all others where none has a row."""
    # A node of the same column has no row yet, and does not count.
    known = [rows[what] for what, _ in node.needs if what in rows]
    return sum(known) / len(known) if known else float(len(rows))


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """Write the path of an arrow between the boxes with these upper left corners."""
    (x1, y1), (x2, y2) = start, end
    y1, y2 = y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    if x1 == x2:  # in one column: around on the left, where no box is crossed
        return f"M{x1} {y1}C{x1 - 40} {y1} {x2 - 40} {y2} {x2} {y2}"
    left, bend = x1 + _WIDTH, _GAP // 2
    return f"M{left} {y1}C{left + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


_SHAPES = {
    "image": ("[[", "]]"),
    "version": ("(", ")"),
    "ring": ("{{", "}}"),
    "gallery": ("[(", ")]"),
    "mirror": ("[(", ")]"),
}
_MOST = 300
"""Number of arrows drawn; a picture of more is unreadable, so the rest are counted."""


def mermaid(drawing: Drawing) -> str:
    """Write the map as a Mermaid flow chart, with arrows as in `map_svg`."""
    needs = drawing["needs"][:_MOST]
    used = {end for need in needs for end in (need["who"], need["what"])}
    names = {node["id"]: f"n{number}" for number, node in enumerate(drawing["nodes"])}
    lines = ["flowchart LR"]
    for node in drawing["nodes"]:
        if node["id"] in used or node["kind"] == "image":
            opening, closing = _SHAPES.get(node["kind"], ("[", "]"))
            label = f"{node['kind']}<br/>{_escaped(str(node['name']))}"
            lines.append(f'  {names[node["id"]]}{opening}"{label}"{closing}')
    lines += [
        f'  {names[need["who"]]} -->|"{_escaped(str(need["how"]))}"| {names[need["what"]]}'
        for need in needs
    ]
    if left := len(drawing["needs"]) - len(needs):
        lines.append(f'  more["and {left:,} more needs: --json has all of them"]')
    return "\n".join(lines) + "\n"


def markdown(drawing: Drawing) -> str:
    """Write the Mermaid chart in a Markdown document."""
    return f"# What needs what\n\n```mermaid\n{mermaid(drawing)}```\n"


def _escaped(text: str) -> str:
    """Escape *text* for a quoted label; Mermaid reads HTML in labels."""
    replaced = text.replace("&", "&amp;").replace('"', "&quot;")
    return replaced.replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")
