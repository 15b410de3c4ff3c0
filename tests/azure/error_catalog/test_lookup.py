"""Every entry is tested against messages that Azure documents, or that were observed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagebake.azure.error_catalog.lookup import (
    KNOWN_ERRORS,
    LATE_DISTRIBUTION,
    known_build_error,
    known_error,
)

SAID = Path(__file__).parents[2] / "golden" / "azure_says.txt"
CASES = [
    tuple(part.strip() for part in line.split(" | ", 2))
    for line in SAID.read_text(encoding="utf-8").splitlines()
]


def flat(code: str, text: str) -> str:
    return f"{code}: {' '.join(text.split())}"


@pytest.mark.parametrize(("name", "code", "text"), CASES, ids=[case[0] for case in CASES])
def test_a_message_is_claimed_by_its_entry_and_by_no_other(name: str, code: str, text: str) -> None:
    claimed = [one.id for one in KNOWN_ERRORS if one.matches(flat(code, text))]

    assert claimed == [name]
    found = known_error(code, text)
    assert found
    assert found.id == name


def test_every_entry_has_a_message_and_every_message_an_entry() -> None:
    ids = [one.id for one in KNOWN_ERRORS]

    assert len(ids) == len(set(ids))
    assert len(ids) >= 40
    assert set(ids) == {name for name, *_ in CASES}


@pytest.mark.parametrize("one", KNOWN_ERRORS, ids=lambda one: one.id)
def test_an_entry_says_why_and_what_to_do_in_a_line_each(one: object) -> None:
    for text in (one.cause, one.hint):  # type: ignore[attr-defined]
        assert text
        assert not text.endswith(".")
        assert "\n" not in text
        assert len(text) < 250


@pytest.mark.parametrize("text", ["", "all is well", "the thing is not there", "greet: exit 3"])
def test_what_nobody_knows_has_no_meaning(text: str) -> None:
    assert known_error("Code418", text) is None


def test_a_line_of_a_log_has_a_meaning_where_it_says_why_a_build_broke() -> None:
    line = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 512 (apt)"

    found = known_build_error(line)

    assert found
    assert found.id == "package-lock-held"
    assert known_build_error("Reading package lists...") is None


def test_a_late_distribution_is_its_own_entry() -> None:
    assert LATE_DISTRIBUTION in {one.id for one in KNOWN_ERRORS}


def test_no_pattern_claims_the_empty_message_of_a_code_it_does_not_name() -> None:
    assert [one.id for one in KNOWN_ERRORS if re.search(one.pattern, "Anything: ")] == []
