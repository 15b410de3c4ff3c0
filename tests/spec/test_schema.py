"""The committed schemas and the reference follow from the model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagebake.spec import reference, schema
from imagebake.spec.fields import EXTENDS

GENERATED = {
    "schemas/image-spec.v1.schema.json": schema.text,
    "schemas/image-spec-base.v1.schema.json": schema.base_text,
    "docs/reference/spec-reference.md": reference.page,
}


@pytest.mark.parametrize(("path", "produce"), GENERATED.items(), ids=GENERATED)
def test_what_is_committed_is_what_the_model_says(
    path: str, produce: Callable[[], str], project: Path
) -> None:
    assert (project / path).read_text(encoding="utf-8") == produce(), "run ./inv generate"


def described(part: dict[str, Any]) -> dict[str, bool]:
    return {key: bool(value.get("description")) for key, value in part["properties"].items()}


def test_every_key_is_described() -> None:
    whole = schema.schema()

    assert all(described(whole).values())
    for name, part in whole["$defs"].items():
        assert all(described(part).values() if "properties" in part else [True]), name


def test_a_spec_that_extends_may_leave_things_out() -> None:
    whole = schema.schema()

    assert whole["if"] == {"required": [EXTENDS]}
    assert whole["then"] == {"required": ["name"]}
    assert "pins" in whole["else"]["required"]


def test_the_reference_has_every_key() -> None:
    page = reference.page()
    whole = schema.schema()

    keys = set(whole["properties"])
    keys |= {key for part in whole["$defs"].values() for key in part.get("properties", {})}
    assert [key for key in sorted(keys) if f"| `{key}` |" not in page] == []


def check_jsonschema(project: Path, name: str, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--output-format", "json"]
    command += ["--schemafile", str(project / "schemas" / name), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_editors_accept_our_specs(project: Path) -> None:
    specs = sorted((project / "image_specs").glob("*.yaml"))
    includes = sorted((project / "image_specs" / "base").glob("*.yaml"))

    assert check_jsonschema(project, "image-spec.v1.schema.json", *specs).returncode == 0
    assert check_jsonschema(project, "image-spec-base.v1.schema.json", *includes).returncode == 0


def test_editors_refuse_what_is_misspelt(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text("extends: base/good.yaml\nname: demo\ngallery: {generation: V3}\nowners: me\n")

    result = check_jsonschema(project, "image-spec.v1.schema.json", path)

    assert {error["path"] for error in json.loads(result.stdout)["errors"]} == {
        "$",
        "$.gallery.generation",
    }


def test_every_file_names_its_schema(project: Path) -> None:
    for path in (project / "image_specs").rglob("*.yaml"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        named = first.removeprefix("# yaml-language-server: $schema=")

        assert (path.parent / named).is_file(), path
