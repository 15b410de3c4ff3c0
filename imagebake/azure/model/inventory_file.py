"""Inventories as files, so that a rollout can be planned without access to the cloud."""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from imagebake.azure.model.fleet import Definition, Inventory, Machine, ScaleSet, UpgradeState
from imagebake.azure.model.gallery import GalleryVersion
from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.errors import SpecError
from imagebake.kernel.text.constrained import quoted
from imagebake.kernel.text.json_reader import line_and_column, value_offsets
from imagebake.kernel.text.versions import ImageVersion
from imagebake.spec.model.base import Value

CODES = {
    "I001": "the inventory is not JSON",
    "I002": "the inventory lacks a key, or has an unknown one",
    "I003": "a value of the inventory has the wrong type",
    "I004": "an id of the inventory is malformed, inconsistent, or used twice",
}
"""Errors in an inventory, by code."""
# A file of the wrong kind would otherwise produce thousands of errors.
_SHOWN = 50


def _utc(when: dt.datetime) -> dt.datetime:
    return when.astimezone(dt.UTC)


def _id(text: str) -> str:
    if not text.startswith("/") or text.rstrip("/") == "":
        raise ValueError(f"{quoted(text)} is not the id of a resource")
    return text


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Id = Annotated[str, AfterValidator(_id)]
Texts = Annotated[dict[str, str], Field(default_factory=dict)]


class _Version(Value):
    id: Id
    definition: str
    version: str
    state: str
    published: Moment | None
    hidden: bool
    tags: Texts
    regions: Texts
    end_of_life: Moment | None = None
    excluded: frozenset[str] = frozenset()
    guarded: bool = False
    parent: str | None = None
    replicas: Annotated[dict[str, int], Field(default_factory=dict)]
    healthy: bool | None = None

    @model_validator(mode="after")
    def _is_what_its_id_says(self) -> Self:
        ImageVersion.parse(self.version)
        ending = f"/images/{self.definition}/versions/{self.version}".lower()
        if not self.id.lower().endswith(ending):
            raise ValueError(f"the id {quoted(self.id)} does not end in {ending}")
        return self

    def value(self) -> GalleryVersion:
        fields = self.model_dump(exclude={"version", "healthy"})
        return GalleryVersion(**fields, version=ImageVersion.parse(self.version))


class _Definition(Value):
    id: Id
    name: str
    tags: Texts

    def value(self) -> Definition:
        return Definition(id=self.id, name=self.name, tags=self.tags)


class _Machine(Value):
    id: Id
    region: str
    image: str
    exact: str | None = None
    tags: Texts

    def value(self) -> Machine:
        return Machine(**self.model_dump())


class _ScaleSet(Value):
    id: Id
    name: str
    region: str
    image: str
    etag: str = ""
    tags: Texts
    instances: tuple[_Machine, ...] = ()
    upgrade: UpgradeState = UpgradeState.NONE
    extensions: Texts

    def value(self) -> ScaleSet:
        return ScaleSet(
            **self.model_dump(exclude={"instances"}),
            instances=tuple(machine.value() for machine in self.instances),
        )


class _Inventory(Value):
    gallery: Id
    at: Moment
    definitions: tuple[_Definition, ...] = ()
    versions: tuple[_Version, ...] = ()
    scale_sets: tuple[_ScaleSet, ...] = ()
    machines: tuple[_Machine, ...] = ()
    locks: Annotated[dict[str, tuple[str, ...]], Field(default_factory=dict)]
    others: Annotated[dict[str, tuple[str, ...]], Field(default_factory=dict)]
    unread: tuple[str, ...] = ()
    soft_delete: bool = False
    counts: Annotated[dict[str, int], Field(default_factory=dict)]


_LISTS = ("definitions", "versions", "scale_sets", "machines")


def inventory_json(inventory: Inventory) -> dict[str, Any]:
    """Return *inventory* as JSON that `read_inventory` parses."""
    return {
        "gallery": inventory.gallery,
        "at": inventory.at.isoformat(),
        "definitions": [_fields(resource) for resource in inventory.definitions],
        "versions": [resource.to_json() for resource in inventory.versions],
        "scale_sets": [
            _fields(resource) | {"instances": [_fields(machine) for machine in resource.instances]}
            for resource in inventory.scale_sets
        ],
        "machines": [_fields(resource) for resource in inventory.machines],
        "locks": {scope: list(names) for scope, names in inventory.locks.items()},
        "others": {target: list(who) for target, who in inventory.others.items()},
        "unread": list(inventory.unread),
        "soft_delete": inventory.soft_delete,
        "counts": dict(inventory.counts),
    }


def read_inventory(text: str, *, path: str) -> Inventory:
    """Parse an inventory; raises `SpecError` with all errors in *text*."""
    try:
        file = _Inventory.model_validate_json(text)
    except ValidationError as error:
        raise SpecError(list(_complaints(text, path, error.errors(include_url=False)))) from None
    if wrong := list(_repeated(file, text, path)):
        raise SpecError(wrong)
    return Inventory(
        gallery=file.gallery,
        at=file.at,
        definitions=tuple(entry.value() for entry in file.definitions),
        versions=tuple(entry.value() for entry in file.versions),
        scale_sets=tuple(entry.value() for entry in file.scale_sets),
        machines=tuple(entry.value() for entry in file.machines),
        locks=file.locks,
        others=file.others,
        unread=file.unread,
        soft_delete=file.soft_delete,
        counts=file.counts,
    )


def _fields(value: Definition | Machine | ScaleSet) -> dict[str, Any]:
    names = (item.name for item in dataclasses.fields(value) if item.name != "instances")
    return {
        name: dict(content) if name in ("tags", "extensions") else content
        for name in names
        if (content := getattr(value, name)) is not None
    }


def _complaints(text: str, path: str, errors: list[ErrorDetails]) -> Iterator[Diagnostic]:
    if errors[0]["type"] == "json_invalid":
        yield _at(text, path, 0, "I001", f"this is not JSON: {errors[0]['ctx']['error']}")
        return
    known = value_offsets(text)
    for error in errors[:_SHOWN]:
        where = tuple(part for part in error["loc"] if part != "[key]")
        spot = where
        while spot and spot not in known:
            spot = spot[:-1]
        kind = error["type"]
        code = "I002" if kind in ("missing", "extra_forbidden") else "I003"
        code = "I004" if kind == "value_error" else code
        yield _at(text, path, known.get(spot, 0), code, f"{_dotted(where)}: {_why(error)}")


def _why(error: ErrorDetails) -> str:
    name = str(error["loc"][-1]) if error["loc"] else ""
    match error["type"]:
        case "missing":
            return "it is missing"
        case "extra_forbidden":
            near = difflib.get_close_matches(name, _keys(), n=1)
            return "this key is unknown" + (f"; did you mean {near[0]!r}?" if near else "")
        case "value_error":
            return str(error["ctx"]["error"])
        case "timezone_aware":
            return "the time has no time zone; write it as 2026-11-22T10:00:00Z"
        case _:
            return error["msg"][:1].lower() + error["msg"][1:]


def _keys() -> list[str]:
    models = (_Inventory, _Version, _ScaleSet, _Machine, _Definition)
    return sorted({name for model in models for name in model.model_fields})


def _repeated(file: _Inventory, text: str, path: str) -> Iterable[Diagnostic]:
    known = None
    for name in _LISTS:
        seen: dict[str, int] = {}
        for number, entry in enumerate(getattr(file, name)):
            first = seen.setdefault(entry.id.rstrip("/").lower(), number)
            if first != number:
                known = known or value_offsets(text)
                spot = known.get((name, number, "id"), 0)
                message = f"{name}[{number}].id: this is {name}[{first}] again"
                yield _at(text, path, spot, "I004", message)


def _at(text: str, path: str, offset: int, code: str, message: str) -> Diagnostic:
    line, column = line_and_column(text, offset)
    shown = text.splitlines()[line - 1][:2000] if text.splitlines() else ""
    source = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in shown
    )
    return Diagnostic(
        path=path, line=line, column=column, code=code, message=message, source=source
    )


def _dotted(where: tuple[str | int, ...]) -> str:
    words = ""
    for part in where:
        words += f"[{part}]" if isinstance(part, int) else f".{part}"
    return words.removeprefix(".") or "the inventory"
