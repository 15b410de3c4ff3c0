"""What no combination of first boots can get past the verdict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from imagebake.lab.ledger import Ledger
from imagebake.lab.proof_result import FirstBootResult, ProofCriterion
from imagebake.proof.verdict import judge
from tests.support.first_boots import a_control, a_demand, a_ledger, an_entry, seen

NAMES = ("hang", "403", "409", "reset", "boot")
LEDGERS = st.builds(
    lambda count, dns, other: a_ledger(
        *(an_entry(path=f"/{n}") for n in range(count)), dns=dns, other=other
    ),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
)
TRIALS = st.lists(
    st.builds(
        lambda trial, ledger, ready, agent, seconds: seen(
            trial, ledger=ledger, ready=ready, agent=agent, seconds=seconds if ready else None
        ),
        st.sampled_from(NAMES),
        st.one_of(st.just(Ledger()), LEDGERS),
        st.booleans(),
        st.sampled_from(("2.15.0.1", "9.9.9.9", "")),
        st.floats(0.1, 60),
    ),
    max_size=6,
    unique_by=lambda one: one.trial,
)


def keeps_every_law(one: FirstBootResult) -> bool:
    return (
        one.ledger.clean
        and one.ready
        and one.agent == "2.15.0.1"
        and one.seconds is not None
        and one.seconds <= 30
    )


@given(TRIALS, st.sets(st.sampled_from(NAMES)), st.sampled_from(("none", "fails", "passes")))
def test_a_proof_passes_exactly_when_all_that_decides_kept_every_law(
    trials: list[FirstBootResult], wanted: set[str], control: str
) -> None:
    controls = () if control == "none" else (a_control(fails=control == "fails"),)

    proof = judge(a_demand(), trials, wanted=tuple(wanted), controls=controls)

    assert proof.passed == (
        control == "fails"
        and bool(wanted)
        and wanted <= {one.trial for one in trials}
        and all(map(keeps_every_law, trials))
    )


@given(TRIALS)
def test_every_trial_that_is_not_silent_is_named_in_a_reason(trials: list[FirstBootResult]) -> None:
    proof = judge(a_demand(), trials, wanted=NAMES, controls=(a_control(),))

    named = {
        trial
        for reason in proof.reasons
        if reason.criterion is ProofCriterion.SILENT
        for trial in reason.trials
    }
    assert named == {one.trial for one in trials if not one.ledger.clean}


@given(TRIALS)
def test_the_verdict_does_not_depend_on_the_order_of_the_trials(
    trials: list[FirstBootResult],
) -> None:
    one = judge(a_demand(), trials, wanted=NAMES, controls=(a_control(),))
    other = judge(a_demand(), trials[::-1], wanted=NAMES, controls=(a_control(),))

    assert one.passed == other.passed
    assert {(r.criterion, r.message, r.fix) for r in one.reasons} == {
        (r.criterion, r.message, r.fix) for r in other.reasons
    }
