"""JSON is read as deployments have it, and every value knows its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.audit.languages.nodes import ListValue, Literal, Node, ObjectValue, read_json, walk
from imagebake.audit.source import SourceText
from imagebake.kernel.text.json_reader import DEEPEST

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


def plain(node: Node | None) -> object:
    match node:
        case Literal():
            return node.value
        case ListValue():
            return [plain(item) for item in node.items]
        case ObjectValue():
            return {member.name: plain(member.value) for member in node.entries.values()}
    raise AssertionError(node)


def flaws(text: str) -> list[tuple[int, int, str]]:
    source = SourceText("a.json", text)
    return [(*source.position(flaw.at), flaw.message) for flaw in read_json(source).flaws]


def lowered(value: object) -> object:
    """Names that differ in case are one name."""
    if isinstance(value, dict):
        kept: dict[str, object] = {}
        for key, inner in value.items():
            kept.pop(next((name for name in kept if name.lower() == key.lower()), key), None)
            kept[key] = lowered(inner)
        return {key.lower(): item for key, item in kept.items()}
    return [lowered(item) for item in value] if isinstance(value, list) else value


@given(VALUES)
def test_what_json_writes_is_read_back(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        reading = read_json(SourceText("a.json", text))

        assert [flaw.message for flaw in reading.flaws if "twice" not in flaw.message] == []
        assert lowered(plain(reading.root)) == lowered(value)


@given(st.text(alphabet='{}[],:"\\ \n/*tnrue10.-abc\x00é', max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    reading = read_json(SourceText("a.json", text))

    assert reading.flaws or reading.root is not None
    assert all(0 <= flaw.at <= len(text) for flaw in reading.flaws)
    for node in walk(reading.root) if reading.root else ():
        assert 0 <= node.at < len(text)


def test_comments_and_texts_over_lines_are_fine() -> None:
    text = '// first\n{ /* second */ "a": "one\ntwo", // third\n  "B": [1, -2.5, true, null] }'
    reading = read_json(SourceText("a.json", text))

    assert reading.flaws == ()
    assert plain(reading.root) == {"a": "one\ntwo", "B": [1, -2.5, True, None]}


def test_every_value_knows_its_line_and_column() -> None:
    source = SourceText("a.json", '{\r\n  "a": [\r\n    "é", {"b": 1}\r\n  ]\r\n}')
    root = read_json(source).root
    assert root is not None

    places = [source.position(node.at) for node in walk(root)]

    assert places == [(1, 1), (2, 8), (3, 5), (3, 10), (3, 16)]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", [(1, 1, "the text is empty")]),
        ("[1, 2", [(1, 6, "the text ends inside the list that line 1 opens")]),
        ('{"a": 1 "b": 2}', [(1, 9, "a comma is missing before this")]),
        ('{"a": 1,}', [(1, 8, "a comma with nothing after it")]),
        ("[1,\n]", [(1, 3, "a comma with nothing after it")]),
        ('{"a": }', [(1, 7, "a value is missing before this")]),
        ('{"a" 1}', [(1, 6, "'1' cannot stand here")]),
        ("{a: 1}", [(1, 2, "'a' begins no value of JSON")]),
        ('{"a": [}', [(1, 8, "'}' closes nothing that is open")]),
        ("{} {}", [(1, 4, "something follows after the end of the document")]),
        ('{"a": "b', [(1, 7, "this text is never closed")]),
        ("[ /* b", [(1, 3, "this comment is never closed")]),
        ('["\\q"]', [(1, 3, "this is no escape of JSON")]),
        ("[01]", [(1, 2, "'0' begins no value of JSON")]),
        ("[NaN]", [(1, 2, "'N' begins no value of JSON")]),
        ('{"a": 1, "a": 2}', [(1, 10, "'a' stands twice in one object")]),
        ("]", [(1, 1, "']' closes nothing that is open")]),
        ("[" * (DEEPEST + 1), [(1, DEEPEST + 1, f"this is nested more than {DEEPEST} deep")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_said_at_its_place(text: str, wrong: list[tuple[int, int, str]]) -> None:
    assert flaws(text) == wrong


def test_what_stands_before_a_mistake_is_kept() -> None:
    root = read_json(SourceText("a.json", '{"a": {"b": 1}, "c": [2, ?')).root

    assert plain(root) == {"a": {"b": 1}, "c": [2]}


def test_half_a_character_is_replaced() -> None:
    root = read_json(SourceText("a.json", '"\\ud800x"')).root

    assert plain(root) == "?x"
