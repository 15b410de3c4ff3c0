"""The map of dependencies as a picture: Mermaid, which forges and editors draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
