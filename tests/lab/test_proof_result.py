from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from imagebake.lab.ledger import RequestKind
from imagebake.lab.proof_result import (
    FirstBootResult,
    HandlerResult,
    Proof,
    ProofCriterion,
    ServiceResult,
)
from imagebake.proof.verdict import judge
from tests.support.first_boots import HANDLER, a_control, a_demand, a_ledger, an_entry, seen

WANTED = ("hang", "409", "boot")


def proven(*changed: FirstBootResult, fails: bool = True) -> Proof:
    """The verdict over all that decides, with some first boots as given."""
    trials = {name: seen(name) for name in WANTED} | {one.trial: one for one in changed}
    controls = (a_control(fails=fails),)
    return judge(a_demand(), tuple(trials.values()), wanted=WANTED, controls=controls)


def test_silence_and_ready_in_every_trial_is_a_proof() -> None:
    proof = proven()

    assert proof.passed
    assert proof.reasons == ()


def test_a_trial_that_was_not_carried_out_leaves_no_proof() -> None:
    proof = judge(a_demand(), (seen("hang"),), wanted=WANTED, controls=(a_control(),))

    assert not proof.passed
    assert not proof.whole


def test_nothing_is_proven_by_no_trial() -> None:
    assert not judge(a_demand(), (), wanted=(), controls=(a_control(),)).passed


def test_without_a_control_there_is_no_proof() -> None:
    trials = tuple(seen(name) for name in WANTED)

    assert not judge(a_demand(), trials, wanted=WANTED).passed


def test_a_proof_whose_control_does_not_fail_is_refused() -> None:
    proof = proven(fails=False)

    assert not proof.passed
    (reason,) = proof.reasons
    assert reason.criterion is ProofCriterion.CONTROL
    assert "a proof that cannot fail is no proof" in reason.message


def test_a_control_that_fails_in_silence_shows_nothing() -> None:
    silent = dataclasses.replace(
        a_control(fails=False), seen=seen("control", ready=False, seconds=None)
    )

    proof = judge(a_demand(), tuple(map(seen, WANTED)), wanted=WANTED, controls=(silent,))

    assert [reason.criterion for reason in proof.reasons] == [ProofCriterion.CONTROL]


def test_a_planted_download_makes_up_for_a_control_that_could_not_fail() -> None:
    controls = (a_control(fails=False), a_control(fails=True))

    assert judge(a_demand(), tuple(map(seen, WANTED)), wanted=WANTED, controls=controls).passed


@pytest.mark.parametrize(
    "ledger",
    [
        pytest.param(a_ledger(dns=1), id="a packet to the resolver"),
        pytest.param(a_ledger(other=1), id="a packet to anywhere"),
        pytest.param(a_ledger(an_entry()), id="a request"),
        pytest.param(a_ledger(an_entry(kind=RequestKind.DNS, port=0, path=" A")), id="a question"),
        pytest.param(
            a_ledger(an_entry(host="168.63.129.16", port=32526, path="/extensionArtifact for x")),
            id="a download through the host",
        ),
    ],
)
def test_asking_for_anything_in_any_trial_breaks_the_proof(ledger: Any) -> None:  # noqa: ANN401
    proof = proven(seen("409", ledger=ledger))

    assert not proof.passed
    assert {reason.criterion for reason in proof.reasons} == {ProofCriterion.SILENT}


BROKEN = (
    ({"ready": False, "seconds": None}, ProofCriterion.AGENT, "it is not Ready"),
    ({"ready": False, "agent": "", "seconds": None}, ProofCriterion.AGENT, "it reported nothing"),
    ({"agent": "9.9.9.9"}, ProofCriterion.AGENT, "is 9.9.9.9, and 2.15.0.1 is pinned"),
    ({"handlers": ()}, ProofCriterion.HANDLERS, "the agent does not report it"),
    (
        {"handlers": (HandlerResult(name=HANDLER[0], version="1.2.3.1", ready=True),)},
        ProofCriterion.HANDLERS,
        "it is Ready as 1.2.3.1",
    ),
    (
        {"handlers": (HandlerResult(name=HANDLER[0], version="1.2.3", ready=False, message="no"),)},
        ProofCriterion.HANDLERS,
        "not Ready: no",
    ),
    ({"provisioned": "NotReady: failed"}, ProofCriterion.PROVISIONED, "NotReady: failed"),
    ({"services": ()}, ProofCriterion.SERVICES, "there is no such unit"),
    (
        {
            "services": (
                ServiceResult(
                    unit="walinuxagent.service", enabled=False, active=True, state="active"
                ),
            )
        },
        ProofCriterion.SERVICES,
        "and not enabled",
    ),
    ({"seconds": 30.1}, ProofCriterion.BUDGET, "Ready after 30.1 s, and the budget is 30 s"),
)


@pytest.mark.parametrize(("changes", "law", "message"), BROKEN)
def test_each_law_is_told_by_its_name(
    changes: dict[str, Any], law: ProofCriterion, message: str
) -> None:
    proof = proven(seen("boot", **changes))

    (reason,) = proof.reasons
    assert reason.criterion is law
    assert message in reason.message
    assert reason.trials == ("boot",)
    assert reason.fix


def test_an_extension_is_known_whatever_the_case_of_its_name() -> None:
    shouted = HandlerResult(name=HANDLER[0].upper(), version=HANDLER[1], ready=True)

    assert proven(seen("hang", handlers=(shouted,))).passed


def test_the_direct_agent_is_not_asked_for_what_only_a_boot_has() -> None:
    assert proven(seen("hang", provisioned="", services=())).passed


def test_a_service_that_no_container_can_run_needs_only_to_be_enabled() -> None:
    clock = ServiceResult(
        unit="walinuxagent.service", enabled=True, active=False, unmet="CAP_SYS_TIME"
    )

    assert proven(seen("boot", services=(clock,))).passed


def test_what_one_unit_asks_in_every_trial_is_one_reason() -> None:
    asked = a_ledger(an_entry(), an_entry(kind=RequestKind.DNS, port=0, path=" A"), dns=2, other=1)

    proof = proven(*(seen(name, ledger=asked) for name in WANTED))

    (reason,) = proof.reasons
    assert reason.trials == WANTED


def test_the_first_reason_names_unit_package_host_and_what_to_change() -> None:
    asked = an_entry(unit="motd-news.service", host="motd.example", path="/")
    failed = seen("hang", ledger=a_ledger(asked), ready=False, seconds=None)

    first = proven(failed).reasons[0]

    assert first.message == ("motd-news.service of package base-files asked motd.example:443 for /")
    assert first.fix == (
        "add a customizer with the line 'sudo systemctl mask motd-news.service',"
        " or take package base-files out of the spec"
    )


@pytest.mark.parametrize(
    ("changes", "who", "fix"),
    [
        ({}, "planted.service of no package", "take planted.service out of the customizer"),
        ({"unit": ""}, "'/usr/bin/curl https://packages.example/agent.deb'", "./inv ledger IMAGE"),
        ({"unit": "", "process": ""}, "a process that was not seen", "./inv ledger IMAGE"),
        (
            {
                "unit": "walinuxagent.service",
                "path": "/Contoso.Demo.Hello/Contoso.Demo.Hello_manifest.xml",
            },
            "walinuxagent.service of package waagent",
            "extension Contoso.Demo.Hello would be downloaded",
        ),
        (
            {"unit": "walinuxagent.service", "path": "/agent/WALinuxAgent_Prod_manifest.xml"},
            "walinuxagent.service of package waagent",
            "the agent looks for a newer agent",
        ),
        (
            {
                "unit": "walinuxagent.service",
                "process": "sh /var/lib/waagent/Contoso.Demo.Hello-1.2.3/bin/handler.sh enable",
            },
            "Contoso.Demo.Hello below walinuxagent.service of package waagent",
            "the own script of extension Contoso.Demo.Hello downloads",
        ),
    ],
)
def test_advice_fits_who_asked(changes: dict[str, Any], who: str, fix: str) -> None:
    (reason,) = proven(seen("hang", ledger=a_ledger(an_entry(**changes)))).reasons

    assert reason.message.startswith(f"{who} asked ")
    assert fix in reason.fix


def test_the_record_says_what_was_demanded_seen_and_controlled() -> None:
    record = proven(seen("hang", seconds=40.0)).to_json()

    assert record["passed"] is False
    assert record["demand"]["handlers"] == {"Contoso.Demo.Hello": "1.2.3"}
    assert [one["trial"] for one in record["trials"]] == list(WANTED)
    assert record["controls"][0]["caught"]
    assert record["reasons"][0]["law"] == "budget"


def test_of_a_question_and_what_followed_the_latter_is_told() -> None:
    question = an_entry(kind=RequestKind.DNS, port=0, path=" A")

    (reason,) = proven(seen("hang", ledger=a_ledger(question, an_entry(), dns=1))).reasons

    assert reason.message.endswith("asked packages.example:443 for /agent.deb")
