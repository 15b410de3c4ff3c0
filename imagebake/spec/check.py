"""Validation of a YAML tree against the model, with each error at its position."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.text.constrained import quoted
from imagebake.kernel.text.versions import InexactVersion
from imagebake.spec import codes
from imagebake.spec.codes import Code
from imagebake.spec.fields import (
    KIND_KEYS,
    SINGULAR,
    Location,
    closest,
    did_you_mean,
    homes_of,
    keys_at,
    kinds_at,
    without_tags,
)
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.pins import UnfitModeError
from imagebake.spec.yaml.nodes import BrokenNode, Position, YamlMapping, YamlNode, YamlScalar, plain
from imagebake.spec.yaml.nodes import YamlSequence as ListNode

_CHOICE = re.compile(r"'([^']*)'")
_MEANT = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "date_type": "a day, such as 2027-03-01",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}

_ZIP_ALONE = re.compile(r"(?i)(official|pre-?)?-?(zip|staged|seeded|baked|download)(-?(zip|only))*")
_NEEDS_MORE = (
    "a zip on the disk does not survive an outage: the agent asks for the manifest over the"
    " network before it looks; 'cached' serves both from the image"
)

_SYNONYMS = {"amd64": "x64", "x86_64": "x64", "aarch64": "Arm64"}


@dataclass(frozen=True, slots=True)
class Phrase:
    """A diagnostic without a position."""

    code: Code
    message: str
    hint: str | None = None

    def at(self, place: Position) -> Diagnostic:
        """Return the diagnostic at *place*."""
        return place.complaint(self.code, self.message, self.hint)


def phrase(error: ErrorDetails, node: YamlNode) -> Phrase:
    """Return the message for pydantic's *error* about *node*."""
    kind, name = error["type"], _name(error["loc"])
    if kind == "value_error":
        return _value_error(error)
    if kind.endswith("_kind"):
        return _no_kind(error["loc"], node)
    if kind in _MEANT:
        return _wrong_kind(_MEANT[kind], name, node)
    if kind in ("enum", "literal_error"):
        return _no_choice(error, name, node)
    return _out_of_bounds(error, name, node)


def unknown_key(name: str, location: Location) -> Phrase:
    """Return the message for the unknown key *name* of the mapping at *location*."""
    keys = keys_at(location)
    if name in (kinds := kinds_at(location)):
        return _two_kinds(location, kinds)
    hint = did_you_mean(name, keys)
    if not hint and (homes := [home for home in homes_of(name) if home not in location]):
        hint = f"{name!r} is a key of {homes[0]!r}"
    hint = hint or f"its keys: {', '.join(keys)}"
    return Phrase(codes.UNKNOWN_KEY, f"{_owner(location)} has no key {quoted(name)}", hint)


def missing_keys(names: list[str], location: Location) -> Phrase:
    """Return the message for the keys *names* missing from the mapping at *location*."""
    keys = "key" if len(names) == 1 else "keys"
    return Phrase(codes.MISSING_KEY, f"{_owner(location)} lacks the {keys} {_list(names)}")


def _value_error(error: ErrorDetails) -> Phrase:
    cause = error["ctx"]["error"]
    if isinstance(cause, InexactVersion):
        return Phrase(codes.INEXACT, str(cause), _where_versions_are(error["loc"]))
    if isinstance(cause, UnfitModeError):
        return Phrase(
            codes.UNFIT_MODE, str(cause), "docs/concepts/delivery-modes.md says which to choose"
        )
    return Phrase(codes.MISSPELT, str(cause))


def _where_versions_are(location: Location) -> str | None:
    if location[-1] == "gallery_version":
        return "az sig image-version list -g GROUP -r GALLERY -i DEFINITION -o table lists them"
    if location[0] == "source":
        return "az vm image list --all -p PUBLISHER -f OFFER -s SKU -o table lists them"
    if location[0] == "extensions":
        return "az vm extension image list-versions -l REGION -p PUBLISHER -n TYPE lists them"
    return "apt-cache policy PACKAGE shows the versions that an archive has"


def _two_kinds(location: Location, kinds: tuple[str, ...]) -> Phrase:
    if location[0] == "source":
        return Phrase(
            codes.KIND,
            f"a source has one of the keys {_list(kinds)}, not two of them",
            "the image is in the marketplace, a managed image, or a version in a gallery",
        )
    what = SINGULAR[str(location[0])]
    message = f"{_a(what)} has one of the keys {_list(kinds)}, not two of them"
    code = codes.PIN_KIND if what == "pin" else codes.KIND
    return Phrase(code, message, f"make two {what}s of it")


_EXAMPLES = {
    "pin": "{package: NAME, version: VERSION}",
    "customizer": "{name: NAME, inline: [LINE]}",
    "validator": "{name: NAME, inline: [LINE]}",
    "output": "{name: NAME, managed_image: ID, location: REGION}",
}


def _no_kind(location: Location, node: YamlNode) -> Phrase:
    kinds, what = KIND_KEYS[str(location[0])], SINGULAR[str(location[0])]
    code = codes.PIN_KIND if what == "pin" else codes.KIND
    if not isinstance(node, YamlMapping):
        message = f"{_a(what)} is a mapping, and this is {_what(node)}"
        return Phrase(code, message, f"write {_EXAMPLES[what]}")
    meant = next((hint for key in node.entries if (hint := did_you_mean(key, kinds))), None)
    return Phrase(code, f"this {what} has none of the keys {_list(kinds, 'and')}", meant)


def _wrong_kind(meant: str, name: str, node: YamlNode) -> Phrase:
    if meant == "a text" and isinstance(node, YamlScalar):
        return _unquoted(name, node)
    if isinstance(node, YamlScalar) and isinstance(node.value, float):
        return Phrase(codes.WRONG_KIND, f"{name} is {meant}, and {node.text} is not")
    hint = "begin each item with '- '" if meant == "a list" else None
    return Phrase(codes.WRONG_KIND, f"{name} is {meant}, and this is {_what(node)}", hint)


def _unquoted(name: str, node: YamlScalar) -> Phrase:
    if name == "'mode'" and node.text.isdecimal():
        return Phrase(codes.WRONG_KIND, "a file mode is octal", f'write "{node.text:0>4}"')
    hint = f'write "{node.text}" if that is all of it'
    if name != "'version'" or isinstance(node.value, bool):
        what = _what(node)
        return Phrase(codes.WRONG_KIND, f"{name} is a text, and {node.text} is {what}", hint)
    read_as = f", as {node.value}" if str(node.value) != node.text else ""
    message = f"{node.text} is read as a number{read_as}; a version is a text, in quotes"
    return Phrase(codes.INEXACT, message, hint)


def _no_choice(error: ErrorDetails, name: str, node: YamlNode) -> Phrase:
    choices = _CHOICE.findall(str(error["ctx"]["expected"]))
    if not isinstance(node, YamlScalar):
        return _wrong_kind("a text", name, node)
    if len(choices) == 1:
        return Phrase(codes.NOT_A_CHOICE, f"{name} can only be {choices[0]!r}")
    if name == "'mode'" and _ZIP_ALONE.fullmatch(node.text):
        return Phrase(
            codes.NOT_A_CHOICE, f"{quoted(node.text)} is none of {_list(choices)}", _NEEDS_MORE
        )
    synonym = _SYNONYMS.get(node.text)
    match = synonym if synonym in choices else closest(node.text, choices)
    return Phrase(
        codes.NOT_A_CHOICE,
        f"{quoted(node.text)} is none of {_list(choices)}",
        f"did you mean {match!r}?" if match else None,
    )


def _out_of_bounds(error: ErrorDetails, name: str, node: YamlNode) -> Phrase:
    context = error.get("ctx", {})
    sentences = {
        "greater_than_equal": "{name} is {shown}, and {ge} is the least it can be",
        "less_than_equal": "{name} is {shown}, and {le} is the most it can be",
        "string_too_short": "{name} is empty",
        "string_too_long": "{name} is longer than {max_length} characters",
        "too_short": "{name} is empty",
        "too_long": "{name} has more than {max_length} entries",
    }
    sentence = sentences.get(error["type"])
    if not sentence:
        return Phrase(codes.MISSPELT, f"{name}: {error['msg']}")
    shown = node.text if isinstance(node, YamlScalar) else ""
    return Phrase(codes.OUT_OF_BOUNDS, sentence.format(name=name, shown=shown[:30], **context))


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _what(node: YamlNode) -> str:
    """Return the kind of *node* in words."""
    if isinstance(node, YamlMapping):
        return "a mapping"
    if not isinstance(node, YamlScalar):
        return "a list"
    kinds = {bool: "a truth value", int: "a number", float: "a number"}
    return kinds.get(type(node.value), "a text")


def _name(location: Location) -> str:
    """Return the name of the value at *location* for messages."""
    return _plain_name(without_tags(location))


def _plain_name(location: Location) -> str:
    last = location[-1]
    if isinstance(last, int):
        return f"this {SINGULAR.get(str(location[-2]), 'line')}"
    return quoted(last)


def _owner(location: Location) -> str:
    """Return the name of the mapping at *location* for messages."""
    location = without_tags(location)
    return _plain_name(location) if location else "the spec"


def _list(words: tuple[str, ...] | list[str], last: str = "and") -> str:
    shown = [repr(word) for word in words]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {last} {shown[-1]}"


_MOST = 200
"""Limit of the model's errors that are rendered; a hostile file can cause thousands."""


class Found(NamedTuple):
    """The node at a location, and the key whose value it is."""

    node: YamlNode
    key: YamlScalar | None


def check(root: YamlMapping) -> tuple[ImageSpec | None, list[Diagnostic]]:
    """Return the spec in *root*, or None and every reason why there is none."""
    try:
        return ImageSpec.model_validate(plain(root)), []
    except ValidationError as error:
        return None, list(_complaints(root, error.errors(include_url=False)[:_MOST]))


def locate(root: YamlNode, location: Iterable[int | str]) -> Found:
    """Follow *location* as far as the tree goes."""
    node, key = root, None
    for part in location:
        if isinstance(node, YamlMapping) and isinstance(part, str) and part in node.entries:
            key, node = node.entries[part]
        elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node, key = node.items[part], None
    return Found(node, key)


def _complaints(root: YamlMapping, errors: Sequence[ErrorDetails]) -> Iterable[Diagnostic]:
    missing: dict[Location, list[str]] = {}
    unknown: dict[Location, list[str]] = {}
    for error in errors:
        location = error["loc"]
        if error["type"] in ("missing", "extra_forbidden"):
            group = missing if error["type"] == "missing" else unknown
            group.setdefault(location[:-1], []).append(str(location[-1]))
        elif complaint := _complaint(root, error):
            yield complaint
    for location, names in unknown.items():
        yield from _unknown_keys(root, location, names)
    for location, names in missing.items():
        meant = {closest(name, keys_at(location)) for name in unknown.get(location, ())}
        if left := [name for name in names if name not in meant]:
            yield from _missing_keys(root, location, left)


def _unknown_keys(root: YamlMapping, location: Location, names: list[str]) -> Iterable[Diagnostic]:
    mapping = locate(root, without_tags(location)).node
    assert isinstance(mapping, YamlMapping)  # noqa: S101 - only a mapping has keys
    for name in names:
        phrase = unknown_key(name, location)
        yield phrase.at(mapping.entries[name].key.place)


def _missing_keys(root: YamlMapping, location: Location, names: list[str]) -> Iterable[Diagnostic]:
    node, key = locate(root, without_tags(location))
    if isinstance(node, YamlMapping) and node.whole:
        yield missing_keys(names, location).at(_start(node, key))


def _start(mapping: YamlMapping, key: YamlScalar | None) -> Position:
    """Return the position for *mapping* as a whole: its key, or the first of its own keys."""
    if key:
        return key.place
    source = mapping.place.source
    places = [entry.key.place for entry in mapping.entries.values()]
    own = [place for place in places if place.source is source]
    return min(own, key=lambda place: (place.line, place.column), default=mapping.place)


def _complaint(root: YamlMapping, error: ErrorDetails) -> Diagnostic | None:
    location = error["loc"]
    is_key = location[-1:] == ("[key]",)
    node, key = locate(root, without_tags(location[:-1] if is_key else location))
    if is_key and key:
        node = key
    if isinstance(node, BrokenNode) or not location:
        # A broken piece has its complaint; so has a name given twice, which is the only
        # thing that the model says about the spec as a whole.
        return None
    if error["type"] == "too_short" and isinstance(node, ListNode) and node.items:
        return None  # pydantic counts the healthy items only
    return phrase(error, node).at(_place(node))


def _place(node: YamlNode) -> Position:
    """Return the position for a value."""
    return _start(node, None) if isinstance(node, YamlMapping) else node.place
