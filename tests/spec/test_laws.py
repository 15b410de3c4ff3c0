"""Laws of reading specs, whatever the text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagebake.kernel.diagnostics import Diagnostic
from imagebake.kernel.errors import SpecError
from imagebake.spec import codes
from imagebake.spec.load import load_spec
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.yaml.nodes import resolve_scalar
from tests.spec.conftest import GOLDEN
from tests.support.builders import a_spec_document

KNOWN = {code.id for code in codes.ALL}
GOOD = (GOLDEN / "base" / "good.yaml").read_text(encoding="utf-8") + "name: demo\n"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("laws") / "demo.yaml"


def loaded(content: bytes | str, path: Path) -> ImageSpec | tuple[Diagnostic, ...]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    try:
        return load_spec(path, root=path.parent)
    except SpecError as error:
        return error.diagnostics


def assert_explained(content: bytes | str, path: Path) -> None:
    outcome = loaded(content, path)
    if isinstance(outcome, ImageSpec):
        return
    assert outcome
    for diagnostic in outcome:
        assert diagnostic.code in KNOWN
        assert diagnostic.line >= 1
        assert diagnostic.column >= 1
        assert diagnostic.width >= 1
        assert str(diagnostic).isprintable() or "\n" in str(diagnostic)
        assert "\x1b" not in str(diagnostic)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_no_bytes_are_a_surprise(path: Path, content: bytes) -> None:
    assert_explained(content, path)


@given(
    st.text(max_size=200)
    | st.text(st.sampled_from("ab:- \n#'\"{}[]&*!|>%@`,?\\.1~\t"), max_size=60)
)
@example("? ")
@example("a: !!binary |\n  x")
@example("- ? - a")
@example('"\\x00": 1')
@example('a: "\\N\\_\\L\\P"')
@example("%TAG ! x\n---\na: 1")
@settings(max_examples=400, deadline=None)
def test_no_text_is_a_surprise(path: Path, content: str) -> None:
    assert_explained(content, path)


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*ImageSpec.model_fields, "version", "agent"]), inner)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*ImageSpec.model_fields, "extends", "x"]), documents))
@settings(max_examples=300, deadline=None)
def test_no_structure_is_a_surprise(path: Path, document: dict[str, Any]) -> None:
    assert_explained(json.dumps(document), path)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_damage_to_a_good_spec_is_a_surprise(path: Path, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 20)))
    assert_explained(GOOD[:start] + data.draw(st.text(max_size=5)) + GOOD[end:], path)


names = st.from_regex(r"[a-z][a-z0-9]{1,8}", fullmatch=True)
versions = st.from_regex(r"[0-9]\.[0-9]{1,2}(-[0-9])?(\+deb12u[0-9])?", fullmatch=True)
words = st.text(
    st.characters(min_codepoint=32, exclude_categories=["C", "Z"]), min_size=1, max_size=30
)


@st.composite
def specs(draw: st.DrawFn) -> ImageSpec:
    """Specs with everything in them that is free."""
    return ImageSpec.model_validate(
        a_spec_document(
            description=draw(words),
            pins=tuple(
                {"package": name, "version": draw(versions), "reason": draw(words)}
                for name in draw(st.lists(names, min_size=1, max_size=5, unique=True))
            ),
            regions=tuple(
                {"name": name + "x", "replicas": draw(st.integers(1, 100))}
                for name in draw(st.lists(names, min_size=1, max_size=3, unique=True))
            ),
            customizers=tuple(
                {"name": name, "inline": tuple(draw(st.lists(words, min_size=1, max_size=3)))}
                for name in draw(st.lists(names, max_size=2, unique=True))
            ),
            tags=draw(st.dictionaries(names, words, max_size=3)),
        )
    )


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump], ids=["json", "yaml"])
@given(spec=specs())
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_what_is_read(
    write: Callable[[object], str], spec: ImageSpec, path: Path
) -> None:
    assert loaded(write(spec.to_json() | {"name": "demo"}), path) == spec


@given(st.integers(-(10**17), 10**17))
def test_a_number_is_read_as_it_is_written(number: int) -> None:
    assert resolve_scalar(str(number)) == number


@given(st.text(max_size=20))
def test_what_is_no_word_of_json_is_text(text: str) -> None:
    value = resolve_scalar(text)

    assert isinstance(value, str | int | float | None)
    assert value == text or text in ("", "null", "true", "false") or text.lstrip("-")[0].isdigit()


@pytest.mark.parametrize(
    "text",
    ["0123", "1_000", "0x1F", "1e3", ".5", "1.", "+1", "~", "Null", "yes", "1\u0663", "\u0663"],
)
def test_what_only_old_yaml_knows_is_text(text: str) -> None:
    assert resolve_scalar(text) == text
