from __future__ import annotations

import pytest

from imagebake.kernel.diagnostics import Severity
from imagebake.policy.registry import SPEC_RULES
from imagebake.spec.model.image_spec import ImageSpec
from tests.policy.spec_cases import (
    AZURE,
    HARMLESS,
    Case,
    a_file,
    built_from,
    customized,
    extended,
    fresh,
    gallery,
    judged,
    pinned,
)
from tests.policy.spec_cases import CASES as OWN_CASES
from tests.policy.surface_cases import CASES as SURFACE_CASES
from tests.policy.surface_cases import GOOD as GOOD_OF_AZURE
from tests.policy.windows_cases import CASES as WINDOWS_CASES
from tests.policy.windows_cases import GOOD as GOOD_ON_WINDOWS
from tests.support.builders import a_lock, a_spec

CASES = (*OWN_CASES, *SURFACE_CASES, *WINDOWS_CASES)
GOOD = (*GOOD_OF_AZURE, *GOOD_ON_WINDOWS)


def test_a_good_spec_with_a_fresh_lock_breaks_no_rule() -> None:
    assert judged(a_spec(), a_lock()) == ()


def test_a_spec_without_a_lock_is_warned_about() -> None:
    (finding,) = judged(a_spec(), None)

    assert str(finding) == (
        "warning[P170]: demo: it has no lock\n  = fix: lock again: ./inv lock demo"
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_breach_is_found_and_named(case: Case) -> None:
    found = [finding for finding in case.findings() if finding.rule == case.rule]

    assert [(finding.subject, finding.message) for finding in found] == [
        (case.subject, case.message)
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_breach_breaks_no_rule_that_it_need_not(case: Case) -> None:
    assert {finding.rule for finding in case.findings()} == {case.rule} | case.also


@pytest.mark.parametrize("spec", GOOD, ids=range(len(GOOD)))
def test_much_can_be_asked_of_azure_without_a_breach(spec: ImageSpec) -> None:
    assert judged(spec, fresh(spec)) == ()


@pytest.mark.parametrize("rule", SPEC_RULES, ids=lambda rule: rule.id)
def test_every_rule_has_a_case(rule: object) -> None:
    assert getattr(rule, "id", "") in {case.rule for case in CASES} | {"P170"}


@pytest.mark.parametrize("line", HARMLESS)
def test_harmless_lines_pass(line: str) -> None:
    spec = customized(line)

    assert judged(spec, fresh(spec)) == ()


def test_a_plugged_in_step_with_a_reason_may_download() -> None:
    spec = customized("wget https://x.example/y", network="required", reason="no mirror has it")

    assert judged(spec, a_lock(spec)) == ()


@pytest.mark.parametrize(
    "spec",
    [
        pinned({"package": "jq", "version": "1", "review_by": "2026-12-23"}),
        a_spec(adoption={"deny": ({"first": "1.6-2.1+deb12u2", "reason": "hangs"},)}),
        pinned({"package": "git", "version": "1:2.39.5-0+deb12u3"}),
        pinned(a_file(file="https://files.example/v1.2/latest.tar", destination="/opt/latest")),
        extended("Contoso", "Agent", "native", reason="the package contoso-agent delivers it"),
        extended("Contoso", "Agent", "cached", reason="the policy team asks for the resource"),
        extended("Contoso", "Agent", "absent"),
        a_spec(regions=({"name": "westeurope"}, {"name": "northeurope", "replicas": 50})),
        a_spec(schedule={"cron": "17 3 * * 2"}),
        built_from("12-arm64", "Standard_D2pds_v5", architecture="Arm64"),
        built_from("12", generation="V1", security="Standard"),
    ],
    ids=[
        "reviewed-in-31-days",
        "beside-a-denied-version",
        "a-plain-component",
        "a-file-called-latest",
        "a-reasoned-native",
        "a-reasoned-cached",
        "absent",
        "a-test-image",
        "weekly",
        "arm",
        "v1",
    ],
)
def test_what_only_looks_like_a_breach_passes(spec: ImageSpec) -> None:
    assert judged(spec, fresh(spec)) == ()


def test_the_fix_names_the_nearest_agent() -> None:
    case = next(case for case in CASES if case.rule == "P101")
    (finding,) = [one for one in case.findings() if one.rule == "P101"]

    assert finding.fix == "write 'agent: azure-linux-agent'"


def test_a_native_extension_is_delivered_by_its_package() -> None:
    extension = {
        "publisher": f"{AZURE}.ActiveDirectory",
        "type": "AADSSHLoginForLinux",
        "version": "1.0.0",
        "mode": "native",
    }
    package = {"package": "aadsshlogin", "version": "1.0.0"}
    spec = a_spec(pins=(*a_spec().to_json()["pins"], package), extensions=(extension,))

    (finding,) = judged(spec, a_lock(spec))

    assert finding.fix == "pin it as 'agent: entra-ssh-login'"


def test_a_secret_is_reported_by_its_digest_only() -> None:
    secret = "ghp_" + "a1B2" * 9
    spec = customized(f"echo {secret} > /etc/token")

    (finding,) = judged(spec, a_lock(spec))

    assert finding.rule == "P140"
    assert secret not in str(finding)
    assert secret not in str(finding.to_json())


def test_a_stale_lock_is_not_also_blamed_for_what_it_lacks() -> None:
    spec = pinned({"package": "ripgrep", "version": "13.0.0-4"})

    assert [finding.rule for finding in judged(spec, a_lock())] == ["P171"]


def test_an_unreadable_date_of_an_archive_is_no_finding() -> None:
    lock = a_lock()
    repository = lock.repositories[0].model_copy(update={"date": "some day"})

    assert judged(a_spec(), lock.model_copy(update={"repositories": (repository,)})) == ()


def test_specs_that_differ_in_their_names_are_no_trouble_to_each_other() -> None:
    specs = tuple(
        gallery(
            definition=f"demo-{number}",
            identifier={"publisher": "imagebake", "offer": "demo", "sku": f"base-{number}"},
        ).model_copy(update={"name": f"demo-{number}"})
        for number in range(5)
    )
    locks = [a_lock(spec) for spec in specs]

    findings = [judged(spec, lock, others=specs) for spec, lock in zip(specs, locks, strict=True)]

    assert set(findings) == {()}


def test_severities_are_those_of_the_rules() -> None:
    severities = {rule.id: rule.severity for rule in SPEC_RULES}

    for case in CASES:
        for finding in case.findings():
            assert finding.severity is severities[finding.rule]
    assert severities["P121"] is Severity.WARNING
