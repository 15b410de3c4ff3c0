"""libyaml and PyYAML's own parser read the same tree, or PyYAML's decides."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imagebake.spec.yaml.reader import read
from imagebake.spec.yaml.text import decode

FRAGMENTS = (
    "", "# c", "a: 1", "b:", "b: # c", "c: x y # z", "d: x#y", "e: 12:30", "f: 'q'", 'g: "r" # c',
    "h: 'it''s'", 'i: "\\n"', "j: {k: l}", "k: [1, 2]", "l: m: n", "m:n", "text", "'quoted'", '"q"',
    "---", "...", "n: &x 1", "o: *x", "p: - q", "q: |", "r: >-", "s: null", "t:  spaced   out  ",
    "u: a:", "v: \u00e9", "w: ~", "x: 1.10", "y: true", "z: @", "a: ?", "? b", "'k': v", "true: x",
    "<<: y", "a: <<", "a: \\x", "a: $(b)", "a: x, y]", "-", "- -", "b: \t", "a: -1", "a: #x",
)  # fmt: skip
lines = st.builds(
    lambda indent, dashes, text: " " * indent + "- " * dashes + text,
    st.integers(0, 6),
    st.integers(0, 2),
    st.sampled_from(FRAGMENTS)
    | st.text(st.sampled_from("ab:- #'\"{}[]&*!|>%@`,?\\.1\n"), max_size=12),
)


def agrees(text: str) -> bool:
    """Whether *text* is read without a complaint, and by both parsers alike."""
    whole, source, wrong = decode(text.encode(), "demo.yaml")
    if wrong or not whole:
        return False
    answer = read(whole, source)
    assert read(whole, source, libyaml=False) == answer
    return not answer[1]


def test_libyaml_is_here() -> None:
    assert yaml.__with_libyaml__


@given(st.lists(lines, max_size=8).map("\n".join))
@example("---")
@example("a: |# b\n  c")
@example("a: \t")
@example("a: 1\n\n# c\n\nb:\n- x\n- y: 1\n  z: 2\nc: 3")
@example("a:\n  b: 1\n c: 2\n")
@example("a: x\n  y\n")
@example("a:\n- b\n  c\n")
@settings(max_examples=1500, deadline=None)
def test_both_parsers_say_the_same(text: str) -> None:
    agrees(text)


blocks = st.recursive(
    st.sampled_from(["1", "x y", "'q'", '"r"', "a/b.c", "2.7-1+b2", "1:2.3", "true"]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "b-c", "d_e", "null"]), inner, min_size=1, max_size=3
        )
    ),
    max_leaves=12,
)


def written(value: object, indent: int) -> str:
    """*value* as people write it, below a key or a dash."""
    pad = " " * indent
    if isinstance(value, dict):
        return "\n".join(
            f"{pad}{key}:"
            + (f" {item}" if isinstance(item, str) else f"\n{written(item, indent + 2)}")
            for key, item in value.items()
        )
    assert isinstance(value, list)
    items = [
        item if isinstance(item, str) else written(item, indent + 2).lstrip() for item in value
    ]
    return "\n".join(f"{pad}- {item}" for item in items)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), blocks, min_size=1))
@settings(deadline=None)
def test_both_parsers_read_what_people_write(value: dict[str, object]) -> None:
    agrees(written(value, 0))


def test_both_parsers_read_our_own_specs(project: Path) -> None:
    for path in (project / "image_specs").rglob("*.yaml"):
        assert agrees(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("text", ["a: &x 1", "a:", "a: null", "a: \t", "", "- "])
def test_a_complaint_is_the_same_for_both_parsers(text: str) -> None:
    assert not agrees(text)


def test_deep_nesting_is_refused_by_both_parsers() -> None:
    assert not agrees("".join(f"{' ' * depth}a:\n" for depth in range(100)) + " " * 100 + "a: 1")
