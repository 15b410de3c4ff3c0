"""Compare a resource with its desired state. Extra properties in Azure are ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "absent"
_CLOSED = ("securityRules",)
"""Lists in which an extra item undoes the desired ones."""


@dataclass(frozen=True, slots=True)
class PropertyDrift:
    """A property that differs from its desired value; *extra* marks an unwanted item."""

    where: str
    wanted: Any
    there: Any
    extra: bool = False

    def __str__(self) -> str:
        if self.extra:
            return f"{self.where}: {_shown(self.there)} exists, and is not managed by imagebake"
        return f"{self.where}: {_shown(self.there)} → {_shown(self.wanted)}"


def find_drift(wanted: Any, there: Any, where: str = "") -> Iterator[PropertyDrift]:  # noqa: ANN401
    """Yield the properties of *there* that differ from *wanted*; names and regions ignore case."""
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        known = {str(key).lower(): value for key, value in there.items()}
        for key, value in wanted.items():
            place = f"{where}.{key}" if where else str(key)
            yield from find_drift(value, known.get(str(key).lower(), ABSENT), place)
    elif isinstance(wanted, list) and isinstance(there, list) and _named((*wanted, *there)):
        yield from _by_name(wanted, there, where)
    elif isinstance(wanted, list) and isinstance(there, list):
        if sorted(map(_gist, wanted)) != sorted(map(_gist, there)) and not _each(wanted, there):
            yield PropertyDrift(where, wanted, there)
    # Azure omits empty lists and objects from its responses.
    elif _gist(wanted) != _gist(there) and not (wanted in ([], {}) and there in (ABSENT, None)):
        yield PropertyDrift(where, wanted, there)


def _by_name(wanted: list[Any], there: list[Any], where: str) -> Iterator[PropertyDrift]:
    known = {str(item["name"]).lower(): item for item in there}
    for item in wanted:
        name = str(item["name"])
        place = f"{where}[{name}]"
        yield from find_drift(item, known.pop(name.lower(), ABSENT), place)
    # An additional security rule may open what ours close.
    if where.rpartition(".")[2] in _CLOSED:
        for name in known:
            yield PropertyDrift(where, None, name, extra=True)


def _each(wanted: list[Any], there: list[Any]) -> bool:
    """Whether the items of both lists are equal position by position."""
    return len(wanted) == len(there) and not any(
        next(find_drift(item, other), None) for item, other in zip(wanted, there, strict=True)
    )


def _named(items: tuple[Any, ...]) -> bool:
    return bool(items) and all(isinstance(item, Mapping) and "name" in item for item in items)


def _gist(value: Any) -> str:  # noqa: ANN401 - JSON
    """Normalise *value* for comparison: Azure changes case and spaces of names and regions."""
    text = str(value)
    return text.replace(" ", "").lower() if isinstance(value, str) else text


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, Mapping):
        return "{…}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value in (None, "", ABSENT) else str(value)


def merge_desired(wanted: Any, there: Any) -> Any:  # noqa: ANN401 - JSON
    """Merge *wanted* into *there*, so that writing it keeps what others have added."""
    if isinstance(wanted, Mapping) and isinstance(there, Mapping):
        known = {str(key).lower(): key for key in there}
        kept = {
            key: _literal(value)
            for key, value in there.items()
            if key not in _NOT_WRITTEN and str(key).lower() not in map(str.lower, wanted)
        }
        return kept | {
            key: merge_desired(value, there.get(known.get(str(key).lower(), key)))
            for key, value in wanted.items()
        }
    if isinstance(wanted, list) and isinstance(there, list) and _named((*wanted, *there)):
        others = {str(item["name"]).lower(): item for item in there}
        mine = [merge_desired(item, others.pop(str(item["name"]).lower(), None)) for item in wanted]
        return [*mine, *map(_literal, others.values())]
    return wanted


_NOT_WRITTEN = ("provisioningState", "resourceGuid", "etag", "systemData")


def _literal(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Escape *value* for a template: a string in brackets would be evaluated as an expression."""
    if isinstance(value, Mapping):
        return {key: _literal(part) for key, part in value.items() if key not in _NOT_WRITTEN}
    if isinstance(value, list):
        return [_literal(part) for part in value]
    return f"[{value}" if isinstance(value, str) and value.startswith("[") else value
