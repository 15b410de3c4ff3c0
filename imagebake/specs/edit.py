"""Edits of a spec's text that change one scalar and leave every other character alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from imagebake.errors import UsageError
from imagebake.specs.load import merged_tree
from imagebake.specs.nodes import Mapping, Node, Scalar, Sequence

_KINDS = ("agent", "package", "file")
_PLAIN = re.compile(r"\d[A-Za-z0-9.+~-]*(?::[A-Za-z0-9.+~-]+)?")
_NUMBER = re.compile(r"[0-9_.:]+(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Edit:
    """One file before and after; they differ in one scalar."""

    path: Path
    before: bytes
    after: bytes


def set_version(spec: Path, pin: str, version: str, *, root: Path) -> Edit:
    """Move *pin* to *version* in the file that names it: *spec*, or one that it extends.

    Raises `UsageError` where no file does, and `SpecError` where one cannot be read. Nothing
    is written.
    """
    scalar = _find(merged_tree(spec, root=root), pin)
    if scalar is None:
        raise UsageError(f"{spec.stem} pins nothing called {pin!r}")
    path = root / scalar.place.source.path
    before = path.read_bytes()
    after = _splice(before.decode(), scalar.place.line, scalar.place.column, version)
    return Edit(path, before, after.encode())


def _find(tree: Mapping, pin: str) -> Scalar | None:
    pins = tree.entries.get("pins")
    for item in pins.value.items if pins and isinstance(pins.value, Sequence) else ():
        if isinstance(item, Mapping) and _name(item) == pin:
            entry = item.entries.get("version")
            return entry.value if entry and isinstance(entry.value, Scalar) else None
    return None


def _name(item: Mapping) -> str | None:
    for kind in _KINDS:
        if kind in item.entries:
            value: Node = item.entries[kind].value
            text = value.text if isinstance(value, Scalar) else ""
            return text.rsplit("/", 1)[-1] if kind == "file" else text
    return None


def _splice(text: str, line: int, column: int, version: str) -> str:
    """Put *version* in place of the scalar that begins at *line* and *column*, from 1."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        at, end = event.start_mark, event.end_mark
        if not isinstance(event, yaml.ScalarEvent) or at is None or end is None:
            continue
        if (at.line + 1, at.column + 1) == (line, column):
            return text[: at.index] + _written(version, event.style) + text[end.index :]
    raise AssertionError(f"no scalar at {line}:{column}")


def _written(version: str, style: str | None) -> str:
    """*version* in the quotes that stood there; in some where it would be read as a number."""
    if style in ("'", '"'):
        return f"{style}{version}{style}"
    if _PLAIN.fullmatch(version) and not _NUMBER.fullmatch(version):
        return version
    return f'"{version}"'
