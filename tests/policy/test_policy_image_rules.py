from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pytest

from imagebake.policy.registry import IMAGE_RULES
from tests.policy.image_cases import (
    CASES,
    CONF,
    DELIVERED,
    DELIVERING,
    DELIVERING_LOCK,
    HARMLESS,
    LOCK,
    SAS,
    SPEC,
    Case,
    conf,
    judged,
)
from tests.support.builders import a_package
from tests.support.images import Node, text


def test_a_good_image_breaks_no_rule() -> None:
    assert judged({}) == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_breach_is_found_and_named(case: Case) -> None:
    found = [finding for finding in case.findings() if finding.rule == case.rule]

    assert [(finding.subject, finding.message) for finding in found] == [
        (case.subject, case.message)
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_breach_breaks_no_rule_that_it_need_not(case: Case) -> None:
    assert {finding.rule for finding in case.findings()} == {case.rule} | case.also


@pytest.mark.parametrize("rule", IMAGE_RULES, ids=lambda rule: rule.id)
def test_every_rule_has_a_case(rule: object) -> None:
    assert getattr(rule, "id", "") in {case.rule for case in CASES}


@pytest.mark.parametrize("changes", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_only_looks_like_a_breach_passes(changes: Mapping[str, Node | None]) -> None:
    assert judged(changes) == ()


def test_a_secret_is_reported_by_its_digest_only() -> None:
    secret = SAS.partition(b"sig=")[2]

    (finding,) = judged({"/root/notes": Node(SAS)})

    assert finding.rule == "P401"
    assert hashlib.sha256(secret).hexdigest()[:12] in finding.message
    assert secret.decode() not in str(finding)


def test_an_agent_that_knows_the_newer_switch_may_look_on_the_disk() -> None:
    lines = ("AutoUpdate.Enabled=y", "AutoUpdate.UpdateToLatestVersion=n")
    staged = "/opt/imagebake/agent/WALinuxAgent-2.15.0.1/HandlerManifest.json"

    found = judged(conf(*lines) | {staged: text("{}")})

    assert "P229" not in {finding.rule for finding in found}


def test_a_good_image_with_all_that_can_be_delivered_breaks_no_rule() -> None:
    assert judged(DELIVERED, spec=DELIVERING, lock=DELIVERING_LOCK) == ()


def test_without_a_cached_extension_the_images_own_proxy_is_one_of_the_build() -> None:
    assert "P226" in {finding.rule for finding in judged(conf("HttpProxy.Host=127.0.0.1"))}


def test_a_package_for_another_architecture_is_not_the_locked_one() -> None:
    last = LOCK.steps[-1].model_copy(
        update={"packages": (a_package("jq", "1.6-2.1+deb12u1", architecture="arm64"),)}
    )
    lock = LOCK.model_copy(update={"steps": (*LOCK.steps[:-1], last), "architecture": "arm64"})

    found = [finding for finding in judged({}, spec=SPEC, lock=lock) if finding.rule == "P201"]

    assert ("jq", "it is installed for amd64") in {(one.subject, one.message) for one in found}


def test_an_image_without_the_agent_has_no_opinion_about_its_settings() -> None:
    found = judged({CONF: None})

    assert {finding.rule for finding in found} == {"P223"}
