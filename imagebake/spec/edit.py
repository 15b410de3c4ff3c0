"""Edits of a spec's text: one scalar, or one pin, and every other character left alone."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from pathlib import Path

import yaml

from imagebake.kernel.errors import UsageError
from imagebake.spec.lists import named
from imagebake.spec.load import Instead, merged_tree
from imagebake.spec.yaml.nodes import Mapping, Node, Scalar, Sequence
from imagebake.spec.yaml.spans import BLOCK_STYLES
from imagebake.spec.yaml.writing import written

SOURCE = "source"
"""What the marketplace image is called where pins are named."""

LISTS = ("pins", "extensions")
"""The lists of a spec whose entries have versions."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One file before and after."""

    path: Path
    before: bytes
    after: bytes


def set_keys(
    spec: Path,
    pin: str,
    values: MappingOf[str, str],
    *,
    root: Path,
    instead: Instead | None = None,
) -> Edit:
    """Give the keys of *pin* that *values* names these values; all of them are there already.

    *pin* is a pin's name, an extension's handler, or `source` for the marketplace image.
    *instead* has files as earlier edits leave them.
    """
    item = _find(merged_tree(spec, root=root, instead=instead), pin)
    if item is None:
        raise UsageError(f"{spec.stem} pins nothing called {pin!r}")
    path = root / item.place.source.path
    before = (instead or {}).get(path) or path.read_bytes()
    text = before.decode()
    places = {key: _scalar(item, key, pin) for key in values}
    for key, scalar in sorted(places.items(), key=lambda one: one[1].place[1:3], reverse=True):
        text = _splice(text, scalar.place.line, scalar.place.column, values[key])
    return Edit(path, before, text.encode())


def _find(tree: Mapping, pin: str) -> Mapping | None:
    source = tree.entries.get(SOURCE)
    if pin == SOURCE and source and isinstance(source.value, Mapping):
        return source.value
    return next((item for name, item in _named(tree) if name == pin), None)


def _named(tree: Mapping) -> list[tuple[str, Mapping]]:
    """Every entry that has a version, with its name."""
    found: list[tuple[str, Mapping]] = []
    for key in LISTS:
        entry = tree.entries.get(key)
        for item in entry.value.items if entry and isinstance(entry.value, Sequence) else ():
            known = named(key, item)
            found += [(known[0], item)] if known and isinstance(item, Mapping) else []
    return found


def _scalar(item: Mapping, key: str, pin: str) -> Scalar:
    entry = item.entries.get(key)
    value: Node | None = entry.value if entry else None
    if not isinstance(value, Scalar):
        raise UsageError(f"{pin} has no {key!r} that could be changed")
    return value


def _splice(text: str, line: int, column: int, value: str) -> str:
    """Put *value* in place of the scalar that begins at *line* and *column*, from 1."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        at, end = event.start_mark, event.end_mark
        if not isinstance(event, yaml.ScalarEvent) or at is None or end is None:
            continue
        if (at.line + 1, at.column + 1) == (line, column):
            old = text[at.index : end.index]
            tail = old[len(old.rstrip()) :] if event.style in BLOCK_STYLES else ""
            return text[: at.index] + written(value, event.style) + tail + text[end.index :]
    raise AssertionError(f"no scalar at {line}:{column}")
