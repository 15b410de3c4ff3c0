"""JSON Schemas by which editors check and complete specs and includes."""

from __future__ import annotations

from typing import Any

from imagebake.kernel.digest import canonical_json
from imagebake.kernel.text.docstrings import all_field_docs
from imagebake.spec.fields import EXTENDS
from imagebake.spec.model import (
    adoption,
    delivery,
    image_spec,
    options,
    outputs,
    pins,
    rings,
    source,
    steps,
)
from imagebake.spec.model import pins as stewardship
from imagebake.spec.model import pins as windows_pins
from imagebake.spec.model.image_spec import ImageSpec

Schema = dict[str, Any]
_MERGED = (
    "MarketplaceImage",
    "LocalBase",
    "GalleryDefinition",
    "GalleryImageIdentifier",
    "Build",
    "ProofTerms",
    "Objectives",
    "Retirement",
    "Schedule",
)
_EXTENDS = {
    "description": "A file that this one adds to and overrides, by its path below image_specs/.",
    "pattern": r"^[^/].*\.ya?ml$",
    "type": "string",
}


def schema() -> Schema:
    """Return the schema of a spec.

    A spec that extends another file may leave out what that file has, which an editor cannot
    see: `inv validate` reports what is really missing.
    """
    whole = base_schema()
    required = ImageSpec.model_json_schema()["required"]
    return whole | {
        "title": "An image spec of imagebake",
        "description": "One image, with what it extends.",
        "if": {"required": [EXTENDS]},
        "then": {"required": ["name"]},
        "else": {"required": required},
    }


def base_schema() -> Schema:
    """Return the schema of an include: a spec in which every key is optional."""
    whole = full_schema()
    del whole["required"]
    for name in _MERGED:
        whole["$defs"][name].pop("required", None)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **whole,
        "title": "An include of imagebake's image specs",
        "description": "What several images have in common.",
        "properties": {EXTENDS: _EXTENDS, **whole["properties"]},
    }


def full_schema() -> Schema:
    """Return the schema of a merged spec, with every docstring as a description."""
    whole: Schema = _tidy(ImageSpec.model_json_schema())
    docs = all_field_docs(
        *(stewardship, windows_pins, image_spec, source, pins),
        *(steps, outputs, options, adoption, rings, delivery),
    )
    for name, part in {ImageSpec.__name__: whole, **whole["$defs"]}.items():
        for key, value in part.get("properties", {}).items():
            if text := docs.get(name, {}).get(key):
                value["description"] = text
    return whole


def text() -> str:
    """Return the content of `schemas/image-spec.v1.schema.json`."""
    return canonical_json(schema()).decode()


def base_text() -> str:
    """Return the content of `schemas/image-spec-base.v1.schema.json`."""
    return canonical_json(base_schema()).decode()


def _tidy(value: Any) -> Any:  # noqa: ANN401 - JSON is what it is
    """Return *value* without pydantic's titles and without null, which YAML writes by omission."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    tidy = {
        key: _tidy(item)
        for key, item in value.items()
        if not (key == "title" and isinstance(item, str))
        and not (key == "default" and item is None)
    }
    choices = [choice for choice in tidy.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        del tidy["anyOf"]
        tidy |= choices[0]
    return tidy
