"""What is kept of a proof: records, a tag and a statement, all about the same content."""

from __future__ import annotations

import json
from typing import Any

from imagebake.azure.model.gallery import TAG_BAKE_KEY, TAG_PROOF
from imagebake.azure.model.manifest import record_name
from imagebake.kernel.digest import sha256_bytes
from imagebake.lab.ledger import Ledger
from imagebake.lab.proof_result import FirstBootResult, Proof
from imagebake.proof.command import page
from imagebake.proof.records import LEDGER, PROOF, STATEMENT, TEST_RESULT, ProofRecords
from imagebake.proof.verdict import judge
from tests.support.bake_services import a_plan
from tests.support.first_boots import START, a_control, a_demand, a_ledger, an_entry, seen
from tests.support.machines import Machine

WANTED = ("hang", "boot")


def a_proof(*trials: FirstBootResult) -> Proof:
    done = trials or tuple(map(seen, WANTED))
    return judge(a_demand(), done, wanted=WANTED, controls=(a_control(),))


def kept(machine: Machine, proof: Proof) -> ProofRecords:
    """The keeper of a version just baked, with *proof* kept."""
    version = machine.bake(a_plan()).version
    keeper = ProofRecords(gallery="imagebake", version=version, records=machine.mirror)
    keeper.keep(proof, now=START, cloud=machine.cloud)
    return keeper


def record(machine: Machine, keeper: ProofRecords, name: str) -> Any:  # noqa: ANN401 - JSON
    version = keeper.version
    content = machine.mirror.recorded(
        record_name("imagebake", version.definition, version.version, name)
    )
    return json.loads(content) if content else None


def test_the_tag_names_the_record_and_leaves_the_others_alone(machine: Machine) -> None:
    keeper = kept(machine, a_proof())

    (version,) = machine.versions()
    name = record_name("imagebake", version.definition, version.version, PROOF)
    digest = sha256_bytes(machine.mirror.recorded(name) or b"")
    assert version.tags[TAG_PROOF] == f"passed sha256:{digest}"
    assert version.tags[TAG_BAKE_KEY] == keeper.version.tags[TAG_BAKE_KEY]
    assert version.hidden


def test_the_verdict_is_read_from_the_tag(machine: Machine) -> None:
    keeper = kept(machine, a_proof(seen("hang"), seen("boot", ready=False, seconds=None)))
    (version,) = machine.versions()

    later = ProofRecords(gallery="imagebake", version=version, records=machine.mirror)

    assert keeper.verdict() is None, "as it was baked"
    assert later.verdict() == "failed"
    assert "the guest agent did not become Ready" in later.reasons()[0]


def test_the_statement_is_about_the_content_and_the_record(machine: Machine) -> None:
    keeper = kept(machine, a_proof())

    statement = record(machine, keeper, STATEMENT)
    manifest = record(machine, keeper, "manifest.json")
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == TEST_RESULT
    assert statement["subject"] == [
        {"name": keeper.version.id, "digest": {"sha256": manifest["content_sha256"]}}
    ]
    assert statement["predicate"]["result"] == "PASSED"
    assert statement["predicate"]["passedTests"] == ["hang", "boot", "negative control"]
    assert statement["predicate"]["failedTests"] == []


def test_a_statement_about_a_failure_says_which_trials_failed(machine: Machine) -> None:
    asked = seen("boot", ledger=a_ledger(an_entry()))

    statement = record(machine, kept(machine, a_proof(seen("hang"), asked)), STATEMENT)

    assert statement["predicate"]["result"] == "FAILED"
    assert statement["predicate"]["failedTests"] == ["boot"]


def test_a_part_of_a_proof_leaves_only_its_ledger(machine: Machine) -> None:
    keeper = kept(machine, a_proof(seen("hang")))

    (version,) = machine.versions()
    assert TAG_PROOF not in version.tags
    assert record(machine, keeper, PROOF) is None
    assert record(machine, keeper, LEDGER)


def test_the_ledger_comes_back_as_it_was_kept(machine: Machine) -> None:
    asked = a_ledger(an_entry(), dns=1, other=2)

    found = kept(machine, a_proof(seen("hang", ledger=asked), seen("boot"))).ledger()

    assert found is not None
    assert [(name, control) for name, control, _ in found.boots] == [
        ("hang", False),
        ("boot", False),
        ("control", True),
    ]
    assert found.boots[0][2] == asked
    assert isinstance(found.boots[1][2], Ledger)


def test_the_ledger_reads_as_a_table_of_who_asked_whom(machine: Machine) -> None:
    asked = a_ledger(an_entry(size=120), dns=1, other=2)
    found = kept(machine, a_proof(seen("hang", ledger=asked), seen("boot"))).ledger()
    assert found is not None

    own, _, control = page("demo@2026.1122.0", found).partition("The negative control")

    header, row, *_ = own.splitlines()
    assert header.split() == [
        *("time", "first", "boot", "unit", "process", "kind", "host", "path", "bytes", "answer")
    ]
    assert row.split()[:3] == ["10:00:00.000", "hang", "planted.service"]
    assert row.split()[-4:] == ["packages.example:443", "/agent.deb", "120", "reset"]
    assert "2 first boots of demo@2026.1122.0" in own
    assert "packages-1.store.test" in control
