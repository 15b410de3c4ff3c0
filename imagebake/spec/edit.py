"""Edits of a spec's text that leave every other character alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from imagebake.kernel.errors import UsageError
from imagebake.spec.fields import entry_name
from imagebake.spec.load import Instead, merged_tree
from imagebake.spec.yaml.nodes import (
    YamlMapping,
    YamlNode,
    YamlScalar,
    YamlSequence,
    YamlSource,
    plain,
    quote_scalar,
    quote_sentence,
)
from imagebake.spec.yaml.reader import read
from imagebake.spec.yaml.spans import (
    BLOCK_STYLES,
    Span,
    compose,
    dashes,
    items_of,
    key_of,
    line_break,
    line_end,
    line_start,
    next_line,
    span,
    value_of,
)

SOURCE = "source"
"""Name of the marketplace image where pins are named."""

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
    values: Mapping[str, str],
    *,
    root: Path,
    instead: Instead | None = None,
) -> Edit:
    """Set existing keys of *pin* to *values*, in whichever file has the pin.

    *pin* is a pin's name, an extension's handler, or `source` for the marketplace image.
    *instead* has files as earlier edits leave them. Raises `UsageError` where no file has the
    pin or a key, and `SpecError` where a file cannot be read. Nothing is written.
    """
    item = _find(merged_tree(spec, root=root, instead=instead), pin)
    if item is None:
        raise UsageError(f"{spec.stem} pins nothing called {pin!r}")
    path = root / item.place.source.path
    before = (instead or {}).get(path) or path.read_bytes()
    text = before.decode()
    places = {key: _scalar(item, key, pin) for key in values}
    # From the end backwards, so that the positions before an edit stay valid.
    for key, scalar in sorted(places.items(), key=lambda item: item[1].place[1:3], reverse=True):
        text = _splice(text, scalar.place.line, scalar.place.column, values[key])
    return Edit(path, before, text.encode())


def _find(tree: YamlMapping, pin: str) -> YamlMapping | None:
    source = tree.entries.get(SOURCE)
    if pin == SOURCE and source and isinstance(source.value, YamlMapping):
        return source.value
    return next((item for name, item in _versioned_entries(tree) if name == pin), None)


def _versioned_entries(tree: YamlMapping) -> list[tuple[str, YamlMapping]]:
    """Return every entry that has a version, with its name."""
    found: list[tuple[str, YamlMapping]] = []
    for key in LISTS:
        entry = tree.entries.get(key)
        for item in entry.value.items if entry and isinstance(entry.value, YamlSequence) else ():
            known = entry_name(key, item)
            found += [(known[0], item)] if known and isinstance(item, YamlMapping) else []
    return found


def _scalar(item: YamlMapping, key: str, pin: str) -> YamlScalar:
    entry = item.entries.get(key)
    value: YamlNode | None = entry.value if entry else None
    if not isinstance(value, YamlScalar):
        raise UsageError(f"{pin} has no {key!r} that could be changed")
    return value


def _splice(text: str, line: int, column: int, value: str) -> str:
    """Replace the scalar that begins at *line* and *column*, counted from 1, by *value*."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        at, end = event.start_mark, event.end_mark
        if not isinstance(event, yaml.ScalarEvent) or at is None or end is None:
            continue
        if (at.line + 1, at.column + 1) == (line, column):
            old = text[at.index : end.index]
            tail = old[len(old.rstrip()) :] if event.style in BLOCK_STYLES else ""
            return text[: at.index] + quote_scalar(value, event.style) + tail + text[end.index :]
    raise AssertionError(f"no scalar at {line}:{column}")


_COMMA = re.compile(r"\s*,")


PinValue = str | tuple[str, ...]
"""The value of a key of a pin."""


def add_entry(
    spec: Path,
    key: str,
    entry: Mapping[str, PinValue],
    *,
    root: Path,
    instead: Instead | None = None,
) -> Edit:
    """Append *entry* to the list *key* of *spec* itself, in the list's own style.

    The list is created where the spec has none. Raises `SpecError` where the spec cannot be
    read.
    """
    merged_tree(spec, root=root, instead=instead)
    before = (instead or {}).get(spec) or spec.read_bytes()
    text = before.decode()
    after = _added(text, key, entry)
    listed = _listed(text, key)
    _require_equal(spec, text, after, {key: (*listed, dict(entry))})
    return Edit(spec, before, after.encode())


def remove_entry(
    spec: Path, key: str, name: str, *, root: Path, instead: Instead | None = None
) -> Edit:
    """Remove the entry *name* from the list *key* of *spec* itself.

    Raises `UsageError` where the spec has none of that name, or an include has it.
    """
    tree = merged_tree(spec, root=root, instead=instead)
    entry = tree.entries.get(key)
    items = entry.value.items if entry and isinstance(entry.value, YamlSequence) else ()
    places = [item.place for item in items if (known := entry_name(key, item)) and known[0] == name]
    if not places:
        raise UsageError(f"{spec.stem} pins nothing called {name!r}")
    path = root / places[0].source.path
    if path != spec:
        raise UsageError(
            f"{name} comes from {places[0].source.path}, which serves other images, too",
            hint="take it out of that file by hand, or out of what the spec extends",
        )
    before = (instead or {}).get(spec) or spec.read_bytes()
    at = (places[0].line, places[0].column)
    text = before.decode()
    after, position = _removed(text, key, at)
    listed = _listed(text, key)
    _require_equal(spec, text, after, {key: (*listed[:position], *listed[position + 1 :])})
    return Edit(spec, before, after.encode())


def _listed(text: str, key: str) -> tuple[object, ...]:
    listed = _values(text).get(key, ())
    return listed if isinstance(listed, tuple) else ()


def _values(text: str) -> dict[str, object]:
    tree, _ = read(text, YamlSource("", ()))
    values = plain(tree) if tree else None
    return values if isinstance(values, dict) else {}


def _require_equal(spec: Path, before: str, after: str, changes: Mapping[str, object]) -> None:
    """Raise `UsageError` unless *after* differs from *before* in *changes* only."""
    if _values(after) != {**_values(before), **changes}:
        raise UsageError(
            f"{spec.name} is written in a way that cannot be edited without harm",
            hint="edit it by hand, then lock it again",
        )


def _added(text: str, key: str, entry: Mapping[str, PinValue]) -> str:
    root = compose(text)
    listed = value_of(root, key)
    if isinstance(listed, SequenceNode) and listed.flow_style:
        return _into_flow(text, listed, _flow(entry), "[]")
    if isinstance(listed, SequenceNode):
        indent = listed.start_mark.column
        return _after(text, span(listed, text).end, _block(entry, indent))
    if root.flow_style:
        return _into_flow(text, root, f"{key}: [{_flow(entry)}]", "{}")
    column = root.start_mark.column
    lines = [" " * column + f"{key}:", *_block(entry, column + 2)]
    return _after(text, span(root, text).end, lines)


def _block(entry: Mapping[str, PinValue], indent: int) -> list[str]:
    """Return the lines of *entry* as an item whose dash is in column *indent*, from 0."""
    pairs = [f"{name}: {_value(value, quote_sentence)}" for name, value in entry.items()]
    first, *others = pairs
    return [" " * indent + f"- {first}", *(" " * (indent + 2) + pair for pair in others)]


def _flow(entry: Mapping[str, PinValue]) -> str:
    pairs = (f"{name}: {_value(value, quote_scalar)}" for name, value in entry.items())
    return "{" + ", ".join(pairs) + "}"


def _value(value: PinValue, write: Callable[[str], str]) -> str:
    return write(value) if isinstance(value, str) else f"[{', '.join(map(quote_scalar, value))}]"


def _after(text: str, index: int, lines: list[str]) -> str:
    """Insert *lines* after the line that contains *index*."""
    mark = line_break(text)
    end = line_end(text, index)
    head, tail = text[:end], text[end:]
    added = mark + mark.join(lines)
    return head + added + (tail or mark)


def _into_flow(text: str, node: Node, added: str, brackets: str) -> str:
    """Insert *added* after the last item of a flow collection, before its closing bracket."""
    assert isinstance(node, SequenceNode | MappingNode)  # noqa: S101 - who else has brackets
    close = node.end_mark.index - 1
    assert text[close] == brackets[1]  # noqa: S101 - where PyYAML says it is
    if not node.value:
        return text[:close] + added + text[close:]
    last = node.value[-1]
    end = span(last[1] if isinstance(last, tuple) else last, text).end
    if comma := _COMMA.match(text, end):
        return text[: comma.end()] + " " + added + "," + text[comma.end() :]
    return text[:end] + ", " + added + text[end:]


def _removed(text: str, key: str, at: tuple[int, int]) -> tuple[str, int]:
    """Return the text without the entry that begins at *at*, and its position in the list."""
    root = compose(text)
    listed = value_of(root, key)
    assert isinstance(listed, SequenceNode)  # noqa: S101 - the entry was found in it
    items = items_of(listed)
    position = next(
        number
        for number, item in enumerate(items)
        if (item.start_mark.line + 1, item.start_mark.column + 1) == at
    )
    if listed.flow_style:
        return _out_of_flow(text, items, position), position
    if len(items) == 1:
        return _emptied(text, root, key, listed), position
    dash = dashes(text, listed)[position]
    own = Span(line_start(text, dash), next_line(text, span(items[position], text).end))
    return text[: own.start] + text[own.end :], position


def _out_of_flow(text: str, items: list[Node], position: int) -> str:
    own = span(items[position], text)
    if position + 1 < len(items):
        return text[: own.start] + text[items[position + 1].start_mark.index :]
    if position:
        return text[: span(items[position - 1], text).end] + text[own.end :]
    comma = _COMMA.match(text, own.end)
    return text[: own.start] + text[comma.end() if comma else own.end :]


def _emptied(text: str, root: MappingNode, key: str, listed: SequenceNode) -> str:
    """Return the text with `[]` for the list, because a key without a value is a mistake."""
    colon = text.index(":", key_of(root, key).end_mark.index) + 1
    dash = dashes(text, listed)[0]
    end = next_line(text, span(listed, text).end)
    start = line_start(text, dash)
    if start <= colon:  # the first dash stands beside its key
        return text[:colon] + " []" + text[line_end(text, span(listed, text).end) :]
    return text[:colon] + " []" + text[colon:start] + text[end:]
