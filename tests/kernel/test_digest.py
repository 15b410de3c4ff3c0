"""The one form of JSON that digests are taken over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.kernel.digest import canonical_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    LEAVES.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(VALUES)
def test_it_is_what_json_writes_sorted_and_indented(value: Any) -> None:  # noqa: ANN401 - JSON
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)

    assert canonical_json(value) == f"{text}\n".encode()


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": float("-inf")}])
def test_what_json_has_no_word_for_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_keys_are_texts() -> None:
    with pytest.raises(TypeError, match="keys of JSON are texts"):
        canonical_json({1: "one"})
