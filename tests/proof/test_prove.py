"""The verb with recorded first boots: which there are, what the verdict gets, what is planted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import fnmatch
import threading
from collections.abc import Callable

import pytest

from imagebake.build.render.delivery import ARTIFACT_HOSTS
from imagebake.kernel.errors import UsageError
from imagebake.lab.boot.scenario import FirstBoot, Moment, Scenario, StageResult, StartMethod
from imagebake.lab.boot.trials import BOOT, ImageChange, trials
from imagebake.lab.boot.units import UnitState
from imagebake.lab.fabric.fabric_settings import StoreMode
from imagebake.lab.fabric.status import AgentStatus
from imagebake.lab.ledger import Ledger
from imagebake.lab.proof_result import Proof, ProofCriterion, ProofRequirements, ProofScope
from imagebake.policy.facts import ProofFacts
from imagebake.proof.prove import ProofServices, prove, requirements_of
from imagebake.proof.validate import report_proof
from imagebake.spec.catalogue.components import CATALOGUE
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.bake_services import Tape
from tests.support.builders import a_spec
from tests.support.first_boots import START, a_ledger, an_entry
from tests.support.golden import Golden

SPEC = a_spec()
UNITS = {"walinuxagent.service": "waagent"}
CACHED = {
    "publisher": "Contoso.Demo",
    "type": "Hello",
    "version": "1.2.3",
    "mode": "cached",
    "package": {"file": "https://packages-1.store.test/hello.zip", "sha256": "0" * 64},
}

Recorded = Callable[[Scenario, ImageChange], FirstBoot]


def recorded(scenario: Scenario, change: ImageChange) -> FirstBoot:
    """An image that asks for nothing, unless it was changed."""
    asked = an_entry(unit="", process="waagent -run-exthandlers", path="/agent/manifest.xml")
    status = AgentStatus(time=START, version="2.7.3.0", status="Ready", message="")
    return FirstBoot(
        scenario=scenario,
        provisioned="Ready" if scenario.means is StartMethod.BOOT else "",
        provisioned_seconds=None,
        stages=(StageResult(moment=Moment.START, ready=True, seconds=1.5, agent=status),),
        ledger=Ledger() if change is ImageChange.NOTHING else a_ledger(asked, dns=1),
        services=tuple(
            UnitState(unit=unit, enabled=True, active=True, state="active (running)")
            for unit in scenario.services
        ),
    )


def demanded(spec: ImageSpec = SPEC) -> ProofRequirements:
    return requirements_of(spec, CATALOGUE, UNITS)


def proven(
    run: Recorded = recorded,
    *,
    spec: ImageSpec = SPEC,
    wish: ProofScope = ProofScope(),  # noqa: B008 - frozen
) -> Proof:
    return prove(spec, demanded(spec), wish, services=ProofServices(run=run, progress=Tape()))


def test_an_image_that_asks_for_nothing_is_proven() -> None:
    proof = proven()

    assert proof.passed
    assert proof.reasons == ()


def test_every_way_to_be_down_decides() -> None:
    scenarios = trials(SPEC, demanded())

    assert {one.store for one in scenarios} == set(StoreMode)
    assert len({one.name for one in scenarios}) == len(scenarios)


def test_the_whole_boot_has_a_restart_a_reboot_and_the_timers() -> None:
    boot = trials(SPEC, demanded())[0]

    assert boot.name == BOOT
    assert boot.store is StoreMode.BLACK_HOLE
    assert (boot.restart, boot.reboot, boot.timers) == (True, True, True)


NEWER = {
    "agent": "azure-linux-agent",
    "version": "2.7.3.0-4.1",
    "goal_state_agent": {
        "file": "https://files.example/agent.zip",
        "version": "2.15.0.1",
        "sha256": "0" * 64,
    },
}


def test_an_extension_comes_after_the_machine_and_both_ways() -> None:
    spec = a_spec(pins=(NEWER,), extensions=(CACHED,))
    scenarios = trials(spec, demanded(spec))

    assert all(not one.goals[0].extensions and one.goals[1].extensions for one in scenarios)
    assert {goal.source for one in scenarios for goal in one.goals} == {
        "extensionsconfig",
        "fasttrack",
    }


def test_an_agent_that_goes_by_the_wire_server_alone_is_told_by_it() -> None:
    spec = a_spec(extensions=(CACHED,))

    sources = {goal.source for one in trials(spec, demanded(spec)) for goal in one.goals}

    assert sources == {"extensionsconfig"}


def test_a_goal_state_names_hosts_such_as_azures_wherever_the_zip_is_from() -> None:
    spec = a_spec(extensions=(CACHED,))

    (extension,) = trials(spec, demanded(spec))[0].goals[1].extensions

    assert all(
        any(fnmatch.fnmatch(host, known) for known in ARTIFACT_HOSTS) for host in extension.hosts
    )


def test_what_is_native_or_absent_is_not_in_the_goal_state() -> None:
    native = {key: value for key, value in CACHED.items() if key != "package"} | {"mode": "native"}
    spec = a_spec(extensions=(native,))

    assert all(not goal.extensions for one in trials(spec, demanded(spec)) for goal in one.goals)


def test_the_control_gets_every_extension_by_download() -> None:
    absent = {key: value for key, value in CACHED.items() if key != "package"} | {"mode": "absent"}
    controls: list[Scenario] = []

    def run(scenario: Scenario, change: ImageChange) -> FirstBoot:
        if change is ImageChange.STRIPPED:
            controls.append(scenario)
        return recorded(scenario, change)

    proven(run, spec=a_spec(extensions=(absent,)))

    (control,) = controls
    assert [one.name for goal in control.goals for one in goal.extensions] == ["Contoso.Demo.Hello"]


def test_an_image_without_the_agent_is_proven_by_its_boot_and_a_planted_download() -> None:
    pins = ({"package": "jq", "version": "1.6-2.1+deb12u1"},)
    done: list[tuple[str, ImageChange]] = []

    def run(scenario: Scenario, change: ImageChange) -> FirstBoot:
        done.append((scenario.name, change))
        return recorded(scenario, change)

    assert proven(run, spec=a_spec(pins=pins)).passed
    assert sorted(done) == [(BOOT, ImageChange.NOTHING), ("planted", ImageChange.PLANTED)]


def test_where_the_control_asks_for_nothing_a_download_is_planted() -> None:
    def run(scenario: Scenario, change: ImageChange) -> FirstBoot:
        return recorded(scenario, ImageChange.NOTHING if change is ImageChange.STRIPPED else change)

    proof = proven(run)

    assert proof.passed
    assert [one.what for one in proof.controls] == [ImageChange.STRIPPED, ImageChange.PLANTED]


def test_a_proof_that_catches_not_even_a_planted_download_is_refused() -> None:
    proof = proven(lambda scenario, _: recorded(scenario, ImageChange.NOTHING))

    assert [reason.criterion for reason in proof.reasons] == [ProofCriterion.CONTROL]


def test_one_scenario_is_no_proof_and_has_a_control_only_on_request() -> None:
    alone = proven(wish=ProofScope(scenario="409", control=False))
    controlled = proven(wish=ProofScope(scenario="409", control=True))

    assert [one.trial for one in alone.seen] == ["409"]
    assert (len(alone.controls), len(controlled.controls)) == (0, 1)
    assert not alone.whole
    assert not controlled.whole


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no scenario 'flood'") as refused:
        proven(wish=ProofScope(scenario="flood"))

    assert "hang" in str(refused.value.hint)


def test_two_first_boots_run_side_by_side() -> None:
    together = threading.Barrier(2, timeout=10)

    def run(scenario: Scenario, change: ImageChange) -> FirstBoot:
        if scenario.name in (BOOT, "control"):
            together.wait()
        return recorded(scenario, change)

    assert proven(run).passed


def test_what_breaks_a_first_boot_reaches_the_one_who_asked_for_it() -> None:
    def run(scenario: Scenario, change: ImageChange) -> FirstBoot:
        del change
        raise UsageError(f"{scenario.name} broke")

    with pytest.raises(UsageError, match="broke"):
        proven(run)


def test_the_agent_that_must_report_is_the_newest_that_is_pinned() -> None:
    assert demanded().agent == "2.7.3.0"
    assert demanded(a_spec(pins=(NEWER,))).agent == "2.15.0.1"
    assert demanded().services == ("walinuxagent.service",)


def test_a_failed_proof_says_first_who_asked_whom_and_what_to_change(golden: Golden) -> None:
    planted = an_entry(
        time=START + dt.timedelta(seconds=2),
        unit="motd-news.service",
        process="/usr/bin/curl https://motd.example/",
        host="motd.example",
        path="/",
    )
    units = {**UNITS, "motd-news.service": "base-files"}

    def run(scenario: Scenario, change: ImageChange) -> FirstBoot:
        seen = recorded(scenario, change)
        if scenario.name == BOOT and change is ImageChange.NOTHING:
            return dataclasses.replace(seen, ledger=a_ledger(planted, dns=2, other=3))
        return seen

    demand = requirements_of(SPEC, CATALOGUE, units)
    proof = prove(SPEC, demand, ProofScope(), services=ProofServices(run=run, progress=Tape()))
    report = report_proof(ProofFacts(spec=SPEC, subject="demo@2026.1122.0", proof=proof))

    golden.check("proof/planted-download.txt", f"{report}\n")


def test_what_could_not_be_tried_is_a_warning_with_its_reason() -> None:
    facts = ProofFacts(
        spec=SPEC, subject="demo@2026.1122.0", proof=None, hindrance="first boots need root"
    )

    (finding,) = report_proof(facts).findings

    assert (finding.rule, finding.severity) == ("P508", "warning")
    assert finding.message == "not proven here: first boots need root"
    assert finding.fix == "as root on Linux, where the image was baked: ./inv validate demo"
