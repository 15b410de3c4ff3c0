from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imagebake.azure.model.fleet import Definition, UpgradeState
from imagebake.azure.model.inventory_file import inventory_json, read_inventory
from imagebake.kernel.errors import SpecError
from imagebake.kernel.text.json_reader import line_and_column, value_offsets
from tests.support.fleets import (
    GALLERY,
    NOW,
    a_machine,
    a_scale_set,
    a_version,
    an_inventory,
    definition_id,
    version_id,
)
from tests.support.golden import Golden

NUMBER = "2026.1101.0"
WHOLE = an_inventory(
    a_version(NUMBER, end_of_life=NOW, parent="/x/versions/1.0.0"),
    a_version("2026.1102.0", published=None),
    definitions=(Definition(id=definition_id(), name="demo", tags={"a": "b"}),),
    scale_sets=(a_scale_set("web", version_id(NUMBER), None, upgrade=UpgradeState.FAILED),),
    machines=(a_machine("m", version_id(NUMBER)),),
    locks={GALLERY: ("l",)},
    others={version_id(NUMBER): ("/x",)},
    unread=("something",),
    soft_delete=True,
    counts={"galleries": 3},
)


def test_what_is_written_is_what_is_read() -> None:
    assert read_inventory(json.dumps(inventory_json(WHOLE)), path="i.json") == WHOLE


def test_the_least_there_is_is_enough() -> None:
    found = read_inventory(
        f'{{"gallery": "{GALLERY}", "at": "2026-11-22T11:00:00+01:00"}}', path="i"
    )

    assert found.at == NOW
    assert found.versions == ()


def wrong(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        read_inventory(text, path="inventory.json")
    return "\n".join(map(str, caught.value.diagnostics)) + "\n"


def test_every_mistake_is_said_at_its_place(golden: Golden) -> None:
    document: dict[str, Any] = inventory_json(WHOLE)
    first, second = document["versions"]
    first["published"] = "2026-11-22T10:00:00"
    first["version"] = "2026.1103.0"
    first["regions"] = ["westeurope"]
    second["hiden"] = second.pop("hidden")
    document["machines"][0]["id"] = "m"
    document["scale_sets"][0]["upgrade"] = "broken"
    document["scale_sets"][0]["instances"][0]["exact"] = 7
    document["soft_delete"] = "yes"
    del document["at"]

    golden.check("rollout/inventory.stderr", wrong(json.dumps(document, indent=1)))


def test_a_version_must_be_what_its_id_says() -> None:
    document = inventory_json(WHOLE)
    document["versions"][0]["version"] = "2026.1103.0"

    assert "versions[0]: the id" in wrong(json.dumps(document))


def test_a_thing_is_there_once() -> None:
    document = inventory_json(WHOLE)
    document["versions"].append(document["versions"][0] | {"id": version_id(NUMBER).upper()})

    assert "versions[2].id: this is versions[0] again" in wrong(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "nul", "[1,]", '{"a": "\x1b[31m"}'])
def test_what_is_not_json_is_said(text: str) -> None:
    message = wrong(text)

    assert "I001" in message
    assert "\x1b" not in message


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["versions", "id", "at", 'x"y', "a\\"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(documents)
def test_no_document_is_a_surprise(document: object) -> None:
    with pytest.raises(SpecError) as caught:
        read_inventory(json.dumps(document), path="x")

    assert caught.value.diagnostics


@given(documents, st.sampled_from([None, 2]))
def test_every_value_has_its_place(document: object, indent: int | None) -> None:
    text = json.dumps(document, indent=indent)
    assume("Infinity" not in text)  # Python writes it, and it is no JSON

    found = value_offsets(text)

    decoder = json.JSONDecoder()
    for path, value in values(document):
        assert decoder.raw_decode(text, found[path])[0] == value


def values(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, object]]:
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from values(inner, (*path, name))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from values(inner, (*path, number))


def test_lines_and_columns_count_from_one() -> None:
    assert line_and_column("ab\ncd", 0) == (1, 1)
    assert line_and_column("ab\ncd", 4) == (2, 2)
