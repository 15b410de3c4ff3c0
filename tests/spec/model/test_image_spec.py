"""A spec accepts what Azure and Debian accept, and nothing that needs quoting."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from imagebake.kernel.digest import sha256_bytes, sha256_json
from imagebake.kernel.text.constrained import quoted, redacted
from imagebake.spec.model.image_spec import Architecture, ImageSpec
from imagebake.spec.model.pins import FilePin
from imagebake.spec.model.steps import scripts
from tests.support.builders import a_spec, a_spec_document
from tests.support.deliveries import a_cached_extension, an_agent_with_its_own

FILE = {
    "file": "https://files.example/tools/tool-1.2.tar.gz",
    "version": "1.2",
    "sha256": sha256_bytes(b"tool"),
    "destination": "/opt/tool.tar.gz",
}


def refused(**changes: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - any field
    """Where a spec with *changes* is refused."""
    with pytest.raises(ValidationError) as caught:
        a_spec(**changes)
    return [error["loc"] for error in caught.value.errors()]


def test_a_spec_is_what_its_json_says() -> None:
    spec = a_spec(pins=({"package": "jq", "version": "1.6-2.1", "review_by": "2027-03-01"}, FILE))

    assert ImageSpec.model_validate_json(spec.model_dump_json(exclude_none=True)) == spec


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        a_spec().owner = "somebody"  # type: ignore[misc]


def test_pins_are_told_apart_by_their_key() -> None:
    spec = a_spec(
        pins=(
            {"package": "jq", "version": "1.6-2.1"},
            {"agent": "chrony", "version": "4.3-2"},
            FILE,
        )
    )

    assert [pin.name for pin in spec.pins] == ["jq", "chrony", "tool-1.2.tar.gz"]
    assert [pin.name for pin in spec.agents] == ["chrony"]
    assert [pin.name for pin in spec.packages] == ["jq"]
    assert [pin.name for pin in spec.files] == ["tool-1.2.tar.gz"]


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("pins", {"agent": "jq", "version": "1.6-2.1"}),
        ("regions", {"name": "westeurope"}),
        ("customizers", {"name": "hello", "inline": ("echo",)}),
        ("validators", {"name": "hello", "inline": ("echo",)}),
        ("extensions", {"publisher": "A", "type": "B", "version": "1.2.3", "mode": "absent"}),
    ],
)
def test_a_name_is_given_once(key: str, entry: dict[str, Any]) -> None:
    assert a_spec(**{key: (entry,)})
    with pytest.raises(ValidationError, match="is named twice"):
        a_spec(**{key: (entry, entry)})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file", "http://files.example/tool"),
        ("file", "https://files.example/"),
        ("file", "https://files.example"),
        ("file", "https://user@files.example/tool"),
        ("file", "https://files.example/tool?sig=abc"),
        ("file", "https://files.example/.."),
        ("file", "https://files.example/a b"),
        ("sha256", "A" * 64),
        ("sha256", "a" * 63),
        ("destination", "opt/tool"),
        ("destination", "/opt/../etc/passwd"),
        ("destination", "/opt//tool"),
        ("destination", "/opt/tool/"),
        ("destination", "/opt/a b"),
        ("destination", "/opt/$(id)"),
        ("destination", "/"),
        ("mode", "644"),
        ("mode", "0888"),
        ("mode", "4755"),
        ("version", ""),
        ("version", "1\n2"),
    ],
)
def test_a_file_pin_is_safe_to_fetch_and_to_write(field: str, value: str) -> None:
    assert FilePin.model_validate(FILE)
    with pytest.raises(ValidationError):
        FilePin.model_validate(FILE | {field: value})


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "a" * 64, "a\n", "ä"])
def test_an_image_has_a_plain_name(name: str) -> None:
    assert refused(name=name) == [("name",)]


@pytest.mark.parametrize("line", ["a\nb", "a\rb", "a\x00b", "a\x1bb", "x" * 8193])
def test_a_line_of_a_script_is_one_line(line: str) -> None:
    where = refused(customizers=({"name": "a", "inline": (line,)},))

    assert where[0] == ("customizers", 0, "inline", "inline", 0)


def test_a_line_of_a_script_may_hold_whatever_shells_read() -> None:
    line = "printf '%s\\n' \"$(id)\" | tee\t/tmp/x && echo 'ä'"

    (step,) = scripts(a_spec(customizers=({"name": "a", "inline": (line,)},)).customizers)

    assert step.inline == (line,)


@pytest.mark.parametrize("cron", ["17 3 * * 2", "*/5 0-6 1,15 JAN MON-FRI"])
def test_schedules_are_five_fields(cron: str) -> None:
    assert a_spec(schedule={"cron": cron}).schedule
    assert refused(schedule={"cron": cron + " *"}) == [("schedule", "cron")]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 1},
        {"description": True},
        {"pins": [{"package": "jq", "version": "1"}]},
        {"regions": ({"name": "westeurope", "replicas": "1"},)},
        {"regions": ({"name": "westeurope", "replicas": 1.0},)},
        {"tags": {"a": 1}},
    ],
)
def test_nothing_is_converted_silently(changes: dict[str, Any]) -> None:
    assert refused(**changes)


def test_unknown_keys_are_refused_everywhere() -> None:
    document = a_spec_document()
    document["gallery"] = document["gallery"] | {"colour": "blue"}

    assert refused(**document, colour="blue") == [("gallery", "colour"), ("colour",)]


def test_who_answers_for_a_pin_does_not_make_a_lock_stale() -> None:
    pin = {"package": "jq", "version": "1.6-2.1"}
    before = a_spec(pins=(pin,)).lock_inputs()

    assert a_spec(pins=({**pin, "owner": "me", "reason": "so"},)).lock_inputs() == before
    assert a_spec(pins=(pin,), description="Another", tags={"a": "b"}).lock_inputs() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"pins": ({"package": "jq", "version": "1.6-2.2"},)},
        {"local": {"suite": "trixie"}},
        {"local": None},
        {"extensions": ({"publisher": "A", "type": "B", "version": "1.2.3", "mode": "absent"},)},
        {"extensions": (a_cached_extension(),)},
        {"pins": (an_agent_with_its_own(),)},
    ],
)
def test_what_a_lock_is_made_from_makes_it_stale(changes: dict[str, Any]) -> None:
    assert sha256_json(a_spec(**changes).lock_inputs()) != sha256_json(a_spec().lock_inputs())


def test_architectures_have_debian_names() -> None:
    assert [kind.debian for kind in Architecture] == ["amd64", "arm64"]


def test_names_as_azure_spells_them() -> None:
    spec = a_spec(
        extensions=({"publisher": "A.B", "type": "C", "version": "1.2.3", "mode": "native"},)
    )

    assert spec.source.urn == "Debian:debian-12:12-gen2:0.20260914.2237"
    assert spec.extensions[0].handler == "A.B.C"


def test_what_is_quoted_is_short_and_harmless() -> None:
    assert quoted("a\x1b[31m\u202e") == "'a\\x1b[31m\\u202e'"
    assert len(quoted("x" * 1000)) < 70


def test_values_in_queries_are_not_shown() -> None:
    assert (
        redacted("https://a.example/b?sv=1&sig=abc%3D x") == "https://a.example/b?sv=*&sig=****** x"
    )
