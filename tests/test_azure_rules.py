"""The page of Azure's rules is complete, and names rules and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "azure-rules.md").read_text(encoding="utf-8")
RULES, PAINS = PAGE.split("## Fifteen pains")


@pytest.mark.parametrize(("part", "count"), [(RULES, 19), (PAINS, 15)], ids=["rules", "pains"])
def test_every_row_is_there_once_and_names_a_test(part: str, count: int) -> None:
    rows = re.findall(r"^\| (\d+) \|(.*)$", part, re.MULTILINE)

    assert [int(number) for number, _ in rows] == list(range(1, count + 1))
    assert [number for number, rest in rows if "::test_" not in rest] == []


def test_the_tests_it_names_exist() -> None:
    named = re.findall(r"`((?:\w+/)+test_\w+\.py)::(test_\w+)`", PAGE)

    assert [
        f"{module}::{name}"
        for module, name in named
        if f"def {name}(" not in (ROOT / "tests" / module).read_text(encoding="utf-8")
    ] == []


def test_the_policy_rules_it_names_exist() -> None:
    known = (ROOT / "docs" / "reference" / "rules.md").read_text(encoding="utf-8")

    named = set(re.findall(r"\bP\d{3}\b", PAGE))
    assert len(named) > 20
    assert [rule for rule in sorted(named) if f"### {rule}:" not in known] == []
