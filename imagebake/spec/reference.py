"""The spec reference page, generated from the schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imagebake.spec.fields import EXTENDS, KIND_KEYS
from imagebake.spec.schema import Schema, base_schema, full_schema

_HEAD = """\
# Spec reference

<!-- Written by `./inv generate` from the docstrings of imagebake/spec/model/: edit those. -->

One file `image_specs/NAME.yaml` describes the image NAME. It is strict YAML: indented with
spaces, no anchors, aliases, tags or second documents, no key twice; a version that looks like a
number goes in quotes (`"12.9"`). `./inv validate` shows every mistake of every file at once,
with file, line, column and a hint; an editor with a YAML language server completes and checks
while you type, by the first line of each file:

    # yaml-language-server: $schema=../schemas/image-spec.v1.schema.json

## Includes

`extends: base/debian-12.yaml` puts a spec on top of another file, which may extend a third. The
path starts at `image_specs/` and cannot leave it.

- A mapping is merged with the include's, key by key; any other value replaces the include's.
- The lists `pins`, `extensions`, `customizers`, `validators`, `regions`, `distribute`, `rings` and
  `local.packages` are the include's entries and then the spec's own. An entry with the name of
  one of the include's takes its place.
- A `source` of another kind than the include's takes its place whole.
- What is required may stand in either file. A complaint points into the file with the mistake.
"""


def page() -> str:
    """Return the content of `docs/reference/spec-reference.md`."""
    whole = full_schema()
    parts = [_HEAD, *_section("The spec", whole, whole, extends=True)]
    for name, part in _in_order(whole):
        parts += _section(_title(name, part), part, whole)
    return "\n".join(parts)


def _in_order(whole: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the mappings of a spec in the order in which the spec mentions them."""
    seen: list[str] = []
    waiting = _references(whole["properties"])
    while waiting:
        name = waiting.pop(0)
        part = whole["$defs"][name]
        if name not in seen and "properties" in part:
            seen.append(name)
            yield name, part
            waiting = _references(part) + waiting


def _references(value: Any) -> list[str]:  # noqa: ANN401 - JSON is what it is
    if isinstance(value, list):
        return [name for item in value for name in _references(item)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"].rsplit("/", 1)[-1]] if "$ref" in value else []
    return own + [name for item in value.values() for name in _references(item)]


def _section(title: str, part: Schema, whole: Schema, *, extends: bool = False) -> list[str]:
    required = part.get("required", [])
    properties = dict(part["properties"])
    if extends:
        properties = {EXTENDS: base_schema()["properties"][EXTENDS], **properties}
    keys = sorted(properties, key=lambda key: (key not in required, key != EXTENDS))
    rows = [
        f"| `{key}` | {_kind(properties[key], whole)} | {_need(key, properties[key], required)} "
        f"| {properties[key].get('description', '')} |"
        for key in keys
    ]
    head = ["| key | kind | | meaning |", "|---|---|---|---|"]
    return [f"## {title}", "", _paragraph(part), "", *head, *rows, ""]


def _paragraph(part: Schema) -> str:
    return " ".join(str(part.get("description", "")).split())


_LISTS = {
    "Pin": "pins",
    "Customizer": "customizers",
    "Validator": "validators",
    "Output": "distribute",
}
"""The list of each union's members, by the end of the member's name."""


def _title(name: str, part: Schema) -> str:
    words = {
        "MarketplaceImage": "`source`, with `publisher`",
        "PurchasePlan": "`source.plan`",
        "ManagedImage": "`source`, with `managed_image`",
        "GalleryVersionSource": "`source`, with `gallery_version`",
        "LocalBase": "`local`",
        "GalleryDefinition": "`gallery`",
        "GalleryImageIdentifier": "`gallery.identifier`",
        "GoalStateAgent": "`goal_state_agent` of a pin",
        "Installer": "`installer` of an agent on Windows",
        "ExtensionPin": "`extensions`, each",
        "ExtensionPackage": "`package` of an extension",
        "Adoption": "`adoption`, of the spec or of a pin",
        "DeniedVersions": "`adoption.deny`, each",
        "FileSource": "`source` of a file",
        "Fetched": "`script` of a step, and `build.optimize_workload`",
        "Placed": "`upload` of a step",
        "RestartTerms": "`restart` of a customizer",
        "UpdateTerms": "`update` of a customizer",
        "ValidationTerms": "`validation`",
        "TargetRegion": "`regions`, each",
        "Versioning": "`versioning` of an output",
        "VhdTarget": "`vhd` of an output",
        "Build": "`build`",
        "ExtensionAllowList": "`guard`",
        "Trigger": "`trigger`",
        "ProofTerms": "`proof`",
        "HeartbeatTerms": "`heartbeat`",
        "Objectives": "`objectives`",
        "Schedule": "`schedule`",
        "Ring": "`rings`, each",
        "Audience": "`audience` of a ring",
        "Retirement": "`retirement`",
    }
    if name in words:
        return words[name]
    listed = next(key for end, key in _LISTS.items() if name.endswith(end))
    kind = next(key for key in KIND_KEYS[listed] if key in part["properties"])
    return f"`{listed}`, with `{kind}`"


def _need(key: str, value: Schema, required: list[str]) -> str:
    if key in required:
        return "required"
    default = value.get("default")
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if isinstance(default, str | int) and default != "" else "optional"


def _kind(value: Schema, whole: Schema) -> str:
    """Describe the values that *value* allows, in words."""
    if "$ref" in value:
        target = whole["$defs"][value["$ref"].rsplit("/", 1)[-1]]
        return _choices(target["enum"]) if "enum" in target else "mapping"
    if "patternErrorMessage" in value:
        return _escaped(str(value["patternErrorMessage"]).removeprefix("must be "))
    if choices := value.get("enum") or ([value["const"]] if "const" in value else []):
        return _choices(choices)
    return _typed(value, whole)


def _typed(value: Schema, whole: Schema) -> str:
    items = value.get("items", {})
    match value.get("type", "object" if "oneOf" in value else ""):
        case "object" if "oneOf" in value:
            return "mapping"
        case "integer":
            return f"{value['minimum']} to {value['maximum']}"
        case "boolean":
            return "`true` or `false`"
        case "array":
            return f"list; each {_kind(items, whole)}" if "type" in items else "list of mappings"
        case "object":
            return "mapping of texts"
        case _:
            return "a day, such as 2027-03-01" if value.get("format") == "date" else "path"


def _choices(values: list[str]) -> str:
    return " or ".join(f"`{value}`" for value in values)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
