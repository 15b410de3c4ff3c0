"""Keys of the model by location, and lists whose entries have names."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.text.constrained import handler_name, quoted
from imagebake.spec import codes
from imagebake.spec.model.base import Value
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.outputs import OUTPUT_KINDS
from imagebake.spec.model.pins import KINDS
from imagebake.spec.model.source import SOURCE_KINDS
from imagebake.spec.model.steps import CUSTOMIZER_KINDS, VALIDATOR_KINDS
from imagebake.spec.yaml.nodes import YamlMapping, YamlNode, YamlScalar, YamlSequence

Location = tuple[int | str, ...]
EXTENDS = "extends"
"""The only key of a file that the model does not have."""


KIND_KEYS: MappingOf[str, tuple[str, ...]] = {
    "pins": KINDS,
    "source": SOURCE_KINDS,
    "customizers": CUSTOMIZER_KINDS,
    "validators": VALIDATOR_KINDS,
    "distribute": OUTPUT_KINDS,
}
"""Keys of the spec whose mappings are of several kinds, with the keys that tell them apart."""


def kinds_at(location: Location) -> tuple[str, ...]:
    """Return the keys of which the mapping at *location* must have exactly one; mostly none."""
    kinds = KIND_KEYS.get(str(location[0]), ()) if location else ()
    plain = without_tags(location)
    depth = 1 if location[:1] == ("source",) else 2
    return kinds if len(plain) == depth else ()


def keys_at(location: Location) -> tuple[str, ...]:
    """Return the keys of the mapping at pydantic's *location*, required keys first."""
    model = _model_at(location)
    if model is None:
        return ()
    fields = model.model_fields
    keys = tuple(sorted(fields, key=lambda name: not fields[name].is_required()))
    return (EXTENDS, *keys) if model is ImageSpec else keys


def without_tags(location: Location) -> Location:
    """Return *location* without the tag that pydantic inserts for a discriminated union."""
    if not location or location[0] not in KIND_KEYS:
        return location
    place = 1 if location[0] == "source" else 2
    if location[place : place + 1] and location[place] in KIND_KEYS[str(location[0])]:
        return location[:place] + location[place + 1 :]
    return location


def homes_of(key: str) -> list[str]:
    """Return the keys of the spec whose mappings, or lists of mappings, have the key *key*."""
    return [
        name
        for name, field in ImageSpec.model_fields.items()
        if any(key in model.model_fields for model in _models_in(field.annotation))
    ]


def closest(word: str, choices: Iterable[str]) -> str | None:
    """Return the entry of *choices* most similar to *word*; None where none is similar."""
    by_case = {choice.casefold(): choice for choice in choices}
    matches = difflib.get_close_matches(word[:100].casefold(), by_case, n=1, cutoff=0.6)
    return by_case[matches[0]] if matches else None


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """Return a hint that suggests the closest of *choices*; None where none is similar."""
    match = closest(word, choices)
    return f"did you mean {match!r}?" if match else None


def _model_at(location: Location) -> type[Value] | None:
    model: type[Value] = ImageSpec
    parts = iter([part for part in location if isinstance(part, str)])
    for part in parts:
        if part not in model.model_fields:
            continue
        found = _models_in(model.model_fields[part].annotation)
        if len(found) > 1:
            # Pydantic puts the kind of a pin, and of its like, where no key is.
            tag = next(parts, None)
            found = tuple(kind for kind in found if tag in kind.model_fields)
        if not found:
            return None
        model = found[0]
    return model


def _models_in(annotation: object) -> tuple[type[Value], ...]:
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return (annotation,)
    return tuple(model for part in typing.get_args(annotation) for model in _models_in(part))


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
"""Singular of each list's name, for messages."""


def text_of(node: YamlNode, key: str) -> YamlScalar | None:
    """Return the text under *key* if *node* is a mapping that has one."""
    if isinstance(node, YamlMapping) and (entry := node.entries.get(key)):
        value = entry.value
        if isinstance(value, YamlScalar) and isinstance(value.value, str):
            return value
    return None


def entry_name(list_key: str, item: YamlNode) -> tuple[str, YamlScalar] | None:
    """Return the name of an entry of the list *list_key*, and the scalar that holds it."""
    if list_key == "packages":
        known = isinstance(item, YamlScalar) and isinstance(item.value, str)
        return (item.text, item) if known and isinstance(item, YamlScalar) else None
    if list_key == "extensions":
        publisher, kind = text_of(item, "publisher"), text_of(item, "type")
        return (handler_name(publisher.text, kind.text), kind) if publisher and kind else None
    for key in KINDS if list_key == "pins" else ("name",):
        if scalar := text_of(item, key):
            return scalar.text.rsplit("/", 1)[-1] if key == "file" else scalar.text, scalar
    return None


def named_lists(root: YamlMapping) -> Iterator[tuple[str, YamlSequence]]:
    """Yield every list of *root* whose entries have names."""
    local = root.entries.get("local")
    places = [root, local.value] if local and isinstance(local.value, YamlMapping) else [root]
    for mapping in places:
        assert isinstance(mapping, YamlMapping)  # noqa: S101 - chosen above
        for key, entry in mapping.entries.items():
            if key in SINGULAR and isinstance(entry.value, YamlSequence):
                yield key, entry.value


def repeated_names(root: YamlMapping) -> Iterator[Diagnostic]:
    """Yield a diagnostic for every name that occurs twice in a list of one file."""
    for key, sequence in named_lists(root):
        seen: dict[str, YamlScalar] = {}
        for item in sequence.items:
            if not (found := entry_name(key, item)):
                continue
            name, scalar = found
            if first := seen.get(name):
                yield scalar.place.complaint(
                    codes.TWICE_THE_NAME,
                    f"the {SINGULAR[key]} {quoted(name)} is named twice",
                    f"it stands in line {first.place.line} already",
                )
            seen.setdefault(name, scalar)
