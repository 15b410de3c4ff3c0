"""Whether an Azure Policy would deny a resource, as far as that can be said from outside."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")
_TAG = re.compile(r"tags(?:\[\s*'?([^'\]]+)'?\s*\]|\.(.+))", re.IGNORECASE)
_TAG_OF = re.compile(
    r"\[concat\('tags\[',\s*parameters\('([^']+)'\),\s*'\]'\)\]"
    r"|\[concat\('tags\[''',\s*parameters\('([^']+)'\),\s*'''\]'\)\]",
    re.IGNORECASE,
)
_ABSENT = object()


class UnknownValueError(Exception):
    """Nobody can say from outside what the value is that a rule looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A resource that Azure will be asked to make; *aliases* are policy's names of properties."""

    type: str
    location: str
    what: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, Any] = field(default_factory=dict)

    def value(self, name: str) -> Any:  # noqa: ANN401 - any property
        """The value of the field *name*; raises `UnknownValueError` for what nobody knows."""
        low = name.lower()
        if low in ("type", "location"):
            return self.type if low == "type" else self.location
        if low == "tags":
            return dict(self.tags)
        if match := _TAG.fullmatch(name):
            wanted = (match[1] or match[2]).lower()
            return next((v for k, v in self.tags.items() if k.lower() == wanted), _ABSENT)
        known = {alias.lower(): value for alias, value in self.aliases.items()}
        if low in known:
            return known[low]
        if "/" in low and not low.startswith(f"{self.type.lower()}/"):
            return _ABSENT  # a property of another type
        raise UnknownValueError(name)


def denies(rule: Mapping[str, Any], subject: Subject, values: Mapping[str, Any]) -> bool | None:
    """Whether *rule* denies *subject*, with these *values* of its parameters; None: unknown."""
    effect = str(filled((rule.get("then") or {}).get("effect") or "", values)).lower()
    if effect != "deny":
        return False
    return _holds(rule.get("if") or {}, subject, values)


def filled(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """*value*, or what the parameter has that it names."""
    if isinstance(value, str) and (match := _PARAMETER.fullmatch(value)):
        return values.get(match[1])
    return value


def _holds(condition: Any, subject: Subject, values: Mapping[str, Any]) -> bool | None:  # noqa: ANN401
    """Three-valued: what one part makes certain, another's being unknown does not undo."""
    if not isinstance(condition, Mapping):
        return None
    if "allOf" in condition:
        return _all([_holds(one, subject, values) for one in condition["allOf"]])
    if "anyOf" in condition:
        inner = _all([_not(_holds(one, subject, values)) for one in condition["anyOf"]])
        return _not(inner)
    if "not" in condition:
        return _not(_holds(condition["not"], subject, values))
    return _compare(condition, subject, values)


def _compare(
    condition: Mapping[str, Any], subject: Subject, values: Mapping[str, Any]
) -> bool | None:
    name = condition.get("field")
    test = next((key for key in condition if key in _TESTS), None)
    if not isinstance(name, str) or test is None:
        return None
    if match := _TAG_OF.fullmatch(name):
        name = f"tags[{values.get(match[1] or match[2])}]"
    name = str(filled(name, values))
    if name.startswith("["):
        return None
    wanted = filled(condition[test], values)
    if wanted is None or (isinstance(wanted, str) and wanted.startswith("[")):
        return None
    try:
        return _TESTS[test](subject.value(name), wanted)
    except UnknownValueError:
        return None


def _all(parts: list[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def _not(part: bool | None) -> bool | None:  # noqa: FBT001 - a third value is what it is about
    return None if part is None else not part


def _same(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return value is not _ABSENT and _text(value) == _text(wanted)


def _among(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return any(_same(value, one) for one in wanted) if isinstance(wanted, list) else False


def _like(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return value is not _ABSENT and fnmatch.fnmatchcase(_text(value), _text(wanted))


def _contains(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return value is not _ABSENT and _text(wanted) in _text(value)


def _exists(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    return (value is not _ABSENT and value is not None) == (_text(wanted) == "true")


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return str(value).lower().replace(" ", "")


def _inverse(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, wanted: not test(value, wanted)


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": _same,
    "notEquals": _inverse(_same),
    "in": _among,
    "notIn": _inverse(_among),
    "like": _like,
    "notLike": _inverse(_like),
    "contains": _contains,
    "notContains": _inverse(_contains),
    "exists": _exists,
}
