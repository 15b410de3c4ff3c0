"""Pins that a bump moves, their versions, and versions that a user may still choose."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from imagebake.kernel.errors import ArtifactError, UsageError, ValidationFailed
from imagebake.pins.answer_cache import Answer
from imagebake.pins.bump import PinMove, select_moves
from imagebake.pins.pin_status import PinStatus, decide_status
from imagebake.pins.pinned_items import pinned_items
from imagebake.spec.catalogue.component import Component
from imagebake.spec.model.candidates import Candidate
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.builders import a_spec

TODAY = dt.date(2026, 11, 22)
NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)
OLD = dt.date(2026, 1, 1)
CATALOGUE = (
    Component(
        name="azure-linux-agent", title="Agent", packages=("waagent",), docs="Reports readiness."
    ),
)
SHA = "ab" * 32
FILE: dict[str, Any] = {
    "file": "https://files.example/v1.0/tool-1.0.gz",
    "version": "1.0",
    "sha256": "cd" * 32,
    "destination": "/opt/tool",
    "source": {"listing": "https://files.example/v"},
}


def versions(*texts: str, **fields: Any) -> tuple[Candidate, ...]:  # noqa: ANN401 - any field
    return tuple(Candidate(version=text, published=OLD, **fields) for text in texts)


def statuses(spec: ImageSpec, **there: tuple[Candidate, ...]) -> tuple[PinStatus, ...]:
    """The status of every item, of which *there* has the candidates by its last name."""
    found = []
    for one in pinned_items(spec, CATALOGUE):
        known = there.get(one.name.rpartition(".")[2].replace("-", "_"), ())
        found.append(decide_status(one, Answer(candidates=known, asked=NOW), today=TODAY))
    return tuple(found)


def move(name: str, old: str, new: str) -> PinMove:
    return PinMove(name, old, new, {})


JQ = versions("1.6-2.1+deb12u1", "1.6-2.1+deb12u10", "1.6-2.1+deb12u9")


def test_every_pin_moves_to_the_newest_version_that_is_allowed() -> None:
    spec = a_spec(adoption={"deny": ({"first": "0.20261001.1", "reason": "does not boot"},)})
    source = versions("0.20261001.1", "0.20260930.7")

    moves = select_moves("demo", statuses(spec, jq=JQ, source=source), only="", to="")

    assert moves == (
        move("source", "0.20260914.2237", "0.20260930.7"),
        move("jq", "1.6-2.1+deb12u1", "1.6-2.1+deb12u10"),
    )


def test_one_pin_moves_to_the_version_that_is_asked_for() -> None:
    found = statuses(a_spec(), jq=(*JQ, Candidate(version="1.7~rc1-1")))

    assert select_moves("demo", found, only="jq", to="1.6-2.1+deb12u9") == (
        move("jq", "1.6-2.1+deb12u1", "1.6-2.1+deb12u9"),
    )
    assert select_moves("demo", found, only="jq", to="1.7~rc1-1")


def test_nothing_moves_twice() -> None:
    spec = a_spec(pins=({"package": "jq", "version": "1.6-2.1+deb12u10"},))
    found = statuses(spec, jq=JQ)

    assert select_moves("demo", found, only="", to="") == ()
    assert select_moves("demo", found, only="jq", to="1.6-2.1+deb12u10") == ()


def test_a_file_moves_with_its_address_and_its_digest() -> None:
    url = "https://files.example/v1.1/tool-1.1.gz"
    found = statuses(a_spec(pins=(FILE,)), gz=versions("1.1", url=url, sha256=SHA))

    (moved,) = select_moves("demo", found, only="", to="")

    assert moved.values == {"version": "1.1", "file": url, "sha256": SHA}


def test_a_version_that_is_not_there_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"there is no jq 9\.9") as caught:
        select_moves("demo", statuses(a_spec(), jq=JQ), only="jq", to="9.9")

    assert caught.value.hint
    assert "1.6-2.1+deb12u10" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"hold": "until the kernel is new"}, "held: until the kernel is new"),
        (
            {"adoption": {"deny": ({"first": "1.6-2.1+deb12u9", "reason": "it hangs"},)}},
            "denied: it hangs",
        ),
    ],
)
def test_what_the_spec_forbids_is_refused_to_a_person_too(
    changes: dict[str, Any], why: str
) -> None:
    spec = a_spec(pins=({"package": "jq", "version": "1.6-2.1+deb12u1"} | changes,))

    with pytest.raises(ValidationFailed, match=why):
        select_moves("demo", statuses(spec, jq=JQ), only="jq", to="1.6-2.1+deb12u9")


@pytest.mark.parametrize(("only", "to"), [("nothing", ""), ("", "1.0")])
def test_a_move_that_names_no_pin_is_refused(only: str, to: str) -> None:
    with pytest.raises(UsageError):
        select_moves("demo", statuses(a_spec(), jq=JQ), only=only, to=to)


def test_what_moves_by_hand_says_why() -> None:
    spec = a_spec(pins=(FILE | {"source": None},))

    with pytest.raises(UsageError, match=r"tool-1\.0\.gz moves by hand: it names no source"):
        select_moves("demo", statuses(spec), only="tool-1.0.gz", to="")

    assert select_moves("demo", statuses(spec), only="", to="") == ()


def test_a_source_that_does_not_answer_is_the_error_of_its_pin() -> None:
    trouble = ArtifactError("the archive hangs")
    found = tuple(
        decide_status(one, Answer(trouble=trouble), today=TODAY)
        for one in pinned_items(a_spec(), ())
    )

    with pytest.raises(ArtifactError, match="the archive hangs"):
        select_moves("demo", found, only="jq", to="")

    assert select_moves("demo", found, only="", to="") == ()
