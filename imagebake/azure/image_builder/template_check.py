"""Check a rendered image template against the SDK's typed models, offline.

The clients check nothing before they send, and Azure stops at the first mistake, minutes
later. The models know every field. Their descriptions are private to the SDK: only `fields_of`
and `subclasses_of` read them, and a test fails when they change.
"""

from __future__ import annotations

import difflib
import enum
import functools
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from azure.mgmt.imagebuilder import models

_SERVICE_ONLY = ["read"]
_WORDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class ModelField:
    """A field of a model, as the SDK describes it."""

    annotation: Any
    required: bool
    read_only: bool
    discriminates: bool


def check_template(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each part of *document* that Azure Image Builder would refuse."""
    return tuple(_model(document, models.ImageTemplate, ""))


def _model(value: Any, model: type, path: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if not isinstance(value, Mapping):
        yield _wrong(path, "an object", value)
        return
    chosen = _choose(value, model)
    if isinstance(chosen, str):
        yield f"{path}.{chosen}".lstrip(".")
        return
    fields = fields_of(chosen)
    for name, item in value.items():
        place = f"{path}.{name}".lstrip(".")
        if name not in fields:
            yield f"{place}: there is no such field{_did_you_mean(name, fields)}"
        elif fields[name].read_only:
            yield f"{place}: only the service sets this field"
        elif not fields[name].discriminates:
            yield from _check(item, fields[name].annotation, place)
    for name, field in fields.items():
        if field.required and name not in value:
            yield f"{path}.{name}: missing".lstrip(".")


def _choose(value: Mapping[str, Any], model: type) -> type | str:
    """Return the subclass that the discriminator names, or a message about it."""
    subclasses = subclasses_of(model)
    name = next((name for name, field in fields_of(model).items() if field.discriminates), None)
    if not subclasses or name is None:
        return model
    if name not in value:
        return f"{name}: missing; it is one of {', '.join(sorted(subclasses))}"
    kind = value[name]
    if not isinstance(kind, str) or kind not in subclasses:
        return f"{name}: {kind!r} is unknown; it is one of {', '.join(sorted(subclasses))}"
    return subclasses[kind]


def _check(value: Any, annotation: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    options = _alternatives(annotation)
    if value is None and type(None) in options:
        return
    options = [option for option in options if option is not type(None)]
    enums = [option for option in options if _is_enum(option)]
    if enums:
        allowed = [str(member.value) for kind in enums for member in kind]
        if value not in allowed:
            yield f"{path}: {value!r} is not one of {', '.join(allowed)}"
        return
    (wanted, *_) = options
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is list:
        yield from _sequence(value, arguments[0], path)
    elif origin is dict:
        yield from _mapping(value, arguments[1], path)
    elif wanted in _WORDS:
        if type(value) is not wanted:
            yield _wrong(path, _WORDS[wanted], value)
    elif isinstance(wanted, type) and issubclass(wanted, Mapping):
        yield from _model(value, wanted, path)


def _sequence(value: Any, item: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if not isinstance(value, list):
        yield _wrong(path, "a list", value)
        return
    for index, element in enumerate(value):
        yield from _check(element, item, f"{path}[{index}]")


def _mapping(value: Any, item: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    if not isinstance(value, Mapping):
        yield _wrong(path, "an object", value)
        return
    for name, element in value.items():
        yield from _check(element, item, f"{path}.{name}")


def _wrong(path: str, wanted: str, value: Any) -> str:  # noqa: ANN401 - JSON
    found = _WORDS.get(type(value), type(value).__name__)
    shown = f" {value!r}" if isinstance(value, str | int | float) else ""
    return f"{path}: {wanted} is wanted, not {found}{shown}".lstrip(":").strip()


def _did_you_mean(name: str, fields: Mapping[str, ModelField]) -> str:
    lowered = {known.lower(): known for known in fields}
    close = difflib.get_close_matches(name.lower(), lowered, n=1)
    return f", did you mean {lowered[close[0]]!r}?" if close else ""


def _alternatives(annotation: Any) -> list[Any]:  # noqa: ANN401 - a type
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return list(typing.get_args(annotation))
    return [annotation]


def _is_enum(option: Any) -> bool:  # noqa: ANN401 - a type
    return isinstance(option, type) and issubclass(option, enum.Enum)


def subclasses_of(model: type) -> dict[str, type]:
    """Return the models that a discriminator selects from; *model* may be one of them."""
    return dict(getattr(model, "__mapping__", {}))


@functools.cache
def fields_of(model: type) -> dict[str, ModelField]:
    """Return the fields of *model* by their names on the wire."""
    hints = typing.get_type_hints(model, globalns={"_models": models, **vars(typing)})
    found: dict[str, ModelField] = {}
    for parent in reversed(model.__mro__):
        for name, rest in vars(parent).items():
            if not hasattr(rest, "_rest_name_input"):
                continue
            annotation = hints[name]
            found[rest._rest_name_input or name] = ModelField(  # noqa: SLF001 - see the module
                annotation=annotation,
                required=type(None) not in _alternatives(annotation),
                read_only=rest._visibility == _SERVICE_ONLY,  # noqa: SLF001
                discriminates=rest._is_discriminator,  # noqa: SLF001
            )
    return found
