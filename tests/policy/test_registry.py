from __future__ import annotations

import re
from typing import Any

import pytest

from imagebake.policy.reference import rules_page
from imagebake.policy.registry import (
    DISK_RULES,
    DISK_SECTIONS,
    IMAGE_RULES,
    IMAGE_SECTIONS,
    PROOF_RULES,
    PROOF_SECTIONS,
    SPEC_RULES,
    SPEC_SECTIONS,
)
from imagebake.policy.rule import Rule

RULES: tuple[Rule[Any], ...] = (*SPEC_RULES, *IMAGE_RULES, *PROOF_RULES, *DISK_RULES)


def test_no_two_rules_share_an_id() -> None:
    ids = [rule.id for rule in RULES]

    assert len(set(ids)) == len(ids)


def test_ids_say_what_a_rule_judges() -> None:
    assert all(rule.id.startswith("P1") for rule in SPEC_RULES)
    assert all(rule.id[1] in "234" for rule in IMAGE_RULES)
    assert all(rule.id.startswith("P5") for rule in PROOF_RULES)
    assert all(rule.id.startswith("P6") for rule in DISK_RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_explains_itself(rule: Rule[Any]) -> None:
    assert re.fullmatch(r"P\d{3}", rule.id)
    assert rule.title[0].isupper() or rule.title.startswith(("apt", "cloud-init", "/etc"))
    for words in (rule.title, rule.why, rule.source, rule.fix):
        assert len(words) >= 8
        assert not words.endswith("."), "the page ends the sentence"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_page_explains_every_rule(rule: Rule[Any]) -> None:
    page = rules_page()

    assert f"### {rule.id}: {rule.title}\n" in page
    for words in (rule.why, rule.fix, rule.source):
        assert words in page


def test_links_within_the_page_lead_somewhere() -> None:
    page = rules_page()
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^### (.*)$", page, re.MULTILINE)
    }

    assert set(re.findall(r"\(#([^)]*)\)", page)) == headings


def test_the_page_is_in_the_order_of_ids() -> None:
    ids = re.findall(r"^### (P\d+)", rules_page(), re.MULTILINE)

    assert ids == sorted(ids)
    assert len(ids) == sum(
        len(rules)
        for _, rules in (*SPEC_SECTIONS, *IMAGE_SECTIONS, *PROOF_SECTIONS, *DISK_SECTIONS)
    )
