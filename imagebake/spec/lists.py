"""The lists of a spec whose entries are known by name, and so replace and exclude each other."""

from __future__ import annotations

from collections.abc import Iterator

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.text.constrained import quoted
from imagebake.kernel.text.names import handler_name
from imagebake.spec import codes
from imagebake.spec.model.pins import KINDS
from imagebake.spec.yaml.nodes import Mapping, Node, Scalar, Sequence

SINGULAR = {
    "pins": "pin",
    "extensions": "extension",
    "customizers": "customizer",
    "validators": "validator",
    "regions": "region",
    "rings": "ring",
    "distribute": "output",
    "packages": "package",
}
"""What an entry of each list is called."""


def text_of(node: Node, key: str) -> Scalar | None:
    """The text that *node* has under *key*, if it is a mapping that has one."""
    if isinstance(node, Mapping) and (entry := node.entries.get(key)):
        value = entry.value
        if isinstance(value, Scalar) and isinstance(value.value, str):
            return value
    return None


def named(list_key: str, item: Node) -> tuple[str, Scalar] | None:
    """The name of one entry of the list *list_key*, and the scalar that says it."""
    if list_key == "packages":
        known = isinstance(item, Scalar) and isinstance(item.value, str)
        return (item.text, item) if known and isinstance(item, Scalar) else None
    if list_key == "extensions":
        publisher, kind = text_of(item, "publisher"), text_of(item, "type")
        return (handler_name(publisher.text, kind.text), kind) if publisher and kind else None
    for key in KINDS if list_key == "pins" else ("name",):
        if scalar := text_of(item, key):
            return scalar.text.rsplit("/", 1)[-1] if key == "file" else scalar.text, scalar
    return None


def named_lists(root: Mapping) -> Iterator[tuple[str, Sequence]]:
    """Every list of *root* whose entries have names."""
    local = root.entries.get("local")
    places = [root, local.value] if local and isinstance(local.value, Mapping) else [root]
    for mapping in places:
        assert isinstance(mapping, Mapping)  # noqa: S101 - chosen above
        for key, entry in mapping.entries.items():
            if key in SINGULAR and isinstance(entry.value, Sequence):
                yield key, entry.value


def repeated_names(root: Mapping) -> Iterator[Diagnostic]:
    """A complaint for every name that stands twice in one list of one file."""
    for key, sequence in named_lists(root):
        seen: dict[str, Scalar] = {}
        for item in sequence.items:
            if not (found := named(key, item)):
                continue
            name, scalar = found
            if first := seen.get(name):
                yield scalar.place.complaint(
                    codes.TWICE_THE_NAME,
                    f"the {SINGULAR[key]} {quoted(name)} is named twice",
                    f"it stands in line {first.place.line} already",
                )
            seen.setdefault(name, scalar)
