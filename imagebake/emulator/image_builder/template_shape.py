"""Read an image template's JSON against the field tables, as strictly as its api-version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagebake.emulator.errors import ArmError
from imagebake.emulator.image_builder.template_fields import ENUMS, SHAPES, VARIANTS

STRICT_SINCE = "2024-02-01"
_REFERENCE = "http://aka.ms/azvmimagebuildertmplref"
_SCALARS: Mapping[str, tuple[type, str]] = {
    "str": (str, "string"),
    "int": (int, "int32"),
    "bool": (bool, "bool"),
}


def missing_field(owner: str, field: str) -> ArmError:
    """A required field is not there."""
    return ArmError(
        400,
        "ValidationFailed",
        f"Validation failed: '{owner}': Missing field '{field}'. Please review {_REFERENCE} for"
        " details on fields required in the Image Builder Template.",
    )


def bad_value(owner: str, field: str, value: object) -> ArmError:
    """A field says what the service does not understand."""
    return ArmError(
        400,
        "ValidationFailed",
        f"Validation failed: '{owner}': Field '{field}' has a bad value: '{value}'. Please review"
        f" {_REFERENCE} for details on fields requirements in the Image Builder Template.",
    )


def read_template(document: Mapping[str, Any], shape: str, api_version: str) -> dict[str, Any]:
    """The fields of *document* that *shape* has, in their own spelling.

    From 2024-02-01 on an unknown or wrongly spelled field is refused; before that spellings
    are mended and unknown fields dropped. Read-only fields and nulls are always dropped.
    """
    strict = api_version >= STRICT_SINCE
    package = "v" + api_version.replace("-", "_")
    return _Reader(strict, package).read(document, shape, _Place("ImageTemplate", "", ""))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the reader is, in the two ways in which the service's messages say so."""

    owner: str
    prefix: str
    trail: str

    def field(self, name: str) -> str:
        return f"{self.prefix}{name}"


@dataclass(frozen=True, slots=True)
class _Reader:
    strict: bool
    package: str

    def read(self, value: object, shape: str, place: _Place) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise self._unmarshalling(place.trail, f"json: cannot unmarshal value into {shape}")
        shape, told = self._variant(value, shape, place)
        fields, read = SHAPES[shape], dict[str, Any]()
        trail = f"{place.trail}unmarshalling type *{self.package}.{shape}: "
        for spelled, content in value.items():
            name = self._name(spelled, shape, trail)
            if name is None or content is None or fields[name].endswith(" read-only"):
                continue
            kind = fields[name].removesuffix(" required")
            inner = f"{trail}struct field {name[0].upper()}{name[1:]}: "
            read[name] = self._value(content, kind, name, _Place(place.owner, place.prefix, inner))
        read |= told
        for name, kind in fields.items():
            if kind.endswith(" required") and read.get(name) in (None, "", [], {}):
                raise missing_field(place.owner, place.field(name))
        return read

    def _variant(
        self, value: Mapping[str, Any], shape: str, place: _Place
    ) -> tuple[str, dict[str, str]]:
        """The shape that *value* really has, and the field that says so in its own spelling."""
        if shape not in VARIANTS:
            return shape, {}
        field, kinds = VARIANTS[shape]
        told = next((v for k, v in value.items() if self._same(str(k), field)), "")
        for kind, name in kinds.items():
            if self._same(str(told), kind):
                return name, {field: kind}
        raise bad_value(place.owner, place.field(field), told)

    def _same(self, given: str, wanted: str) -> bool:
        return given == wanted or (not self.strict and given.lower() == wanted.lower())

    def _name(self, spelled: str, shape: str, trail: str) -> str | None:
        for name in SHAPES[shape]:
            if self._same(spelled, name):
                return name
        if self.strict:
            detail = f'unmarshalling type *{self.package}.{shape}, unknown field "{spelled}"'
            raise self._unmarshalling(trail, detail)
        return None

    def _value(self, value: object, kind: str, name: str, place: _Place) -> object:
        if kind.startswith("["):
            return self._list(value, kind[1:-1], name, place)
        if kind.startswith("{"):
            return self._map(value, kind[1:-1], name, place)
        if kind in SHAPES:
            inner = _Place(f"{place.owner}.{place.field(name)}", "", place.trail)
            return self.read(value, kind, inner)
        if kind.startswith("enum "):
            return self._choice(value, kind.removeprefix("enum "), name, place)
        wanted, go_name = _SCALARS[kind]
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise self._unmarshalling(
                place.trail,
                f"json: cannot unmarshal {_json_name(value)} into Go value of type {go_name}",
            )
        return value

    def _list(self, value: object, kind: str, name: str, place: _Place) -> list[Any]:
        if not isinstance(value, list):
            detail = f"json: cannot unmarshal {_json_name(value)} into a list"
            raise self._unmarshalling(place.trail, detail)
        read: list[Any] = []
        for index, item in enumerate(value):
            field = f"{place.field(name)}[{index}]"
            if kind in SHAPES:
                read.append(self.read(item, kind, _Place(place.owner, field + ".", place.trail)))
            else:
                read.append(self._value(item, kind, f"{name}[{index}]", place))
        return read

    def _map(self, value: object, kind: str, name: str, place: _Place) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            detail = f"json: cannot unmarshal {_json_name(value)} into a map"
            raise self._unmarshalling(place.trail, detail)
        return {str(k): self._value(v, kind, f"{name}.{k}", place) for k, v in value.items()}

    def _choice(self, value: object, enum: str, name: str, place: _Place) -> str:
        for choice in ENUMS[enum]:
            if self._same(str(value), choice):
                return choice
        raise bad_value(place.owner, place.field(name), value)

    def _unmarshalling(self, trail: str, detail: str) -> ArmError:
        return ArmError(
            400,
            "BadRequest",
            f"Unmarshalling entity encountered error: {trail}{detail}. There is an issue with the"
            " syntax with the JSON template you are submitting. Please check the JSON template"
            " for syntax and grammar. For more information on the syntax and grammar of the JSON"
            f" template, visit {_REFERENCE}.",
        )


def _json_name(value: object) -> str:
    names = {bool: "bool", str: "string", int: "number", float: "number", list: "array"}
    return names.get(type(value), "object")
