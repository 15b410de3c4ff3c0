"""Which version is adopted: never an older one, never one that something stands against."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.kernel.text.versions import Scheme, in_order, order
from imagebake.pins.decision import Decision, decide, obstacle
from imagebake.spec.model.adoption import Adoption, AdoptionTerms, DeniedVersions, adoption_terms
from imagebake.spec.model.candidates import Candidate

TODAY = dt.date(2026, 11, 22)
OLD = TODAY - dt.timedelta(days=100)


def day(age: int) -> dt.date:
    return TODAY - dt.timedelta(days=age)


def verdict(
    current: str,
    *candidates: Candidate,
    scheme: Scheme = Scheme.HANDLER,
    **terms: Any,  # noqa: ANN401 - any of the terms
) -> Decision:
    own = AdoptionTerms(**terms)
    return decide(current, candidates, own, scheme=scheme, today=TODAY)


def test_the_newest_version_is_adopted() -> None:
    found = verdict(
        "1.9.0",
        Candidate(version="1.10.0", published=OLD),
        Candidate(version="1.9.5", published=OLD),
    )

    assert found.allowed == found.newest == Candidate(version="1.10.0", published=OLD)
    assert found.obstacle == ""


def test_nothing_newer_is_nothing_to_do() -> None:
    assert verdict("1.10.0", Candidate(version="1.9.0")) == Decision(current="1.10.0")


CASES: dict[str, tuple[Candidate, dict[str, Any], str]] = {
    "young": (
        Candidate(version="2.0.0", published=day(6)),
        {},
        "published on 2026-11-16, waits until 2026-11-23",
    ),
    "first seen today": (
        Candidate(version="2.0.0", seen=TODAY),
        {},
        "first seen on 2026-11-22, waits until 2026-11-29",
    ),
    "of no known age": (
        Candidate(version="2.0.0"),
        {"cooldown_days": 1},
        "first seen on 2026-11-22, waits until 2026-11-23",
    ),
    "unfinished": (Candidate(version="2.0.0", prerelease=True, published=OLD), {}, "a pre-release"),
    "not everywhere": (
        Candidate(version="2.0.0", published=OLD, missing=("northeurope",)),
        {},
        "not in northeurope yet",
    ),
    "denied": (
        Candidate(version="2.0.0", published=OLD),
        {"deny": (DeniedVersions(first="1.9.0", last="2.0.0", reason="it hangs"),)},
        "denied: it hangs",
    ),
    "held": (
        Candidate(version="2.0.0", published=OLD),
        {"hold": "until the kernel is new"},
        "held: until the kernel is new",
    ),
    "unfit": (
        Candidate(version="2.0.0", published=OLD, unfit="yanked"),
        {},
        "yanked",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_stands_against_a_version_is_said(case: str) -> None:
    candidate, terms, why = CASES[case]

    found = verdict("1.0.0", candidate, Candidate(version="0.9.0", published=OLD), **terms)

    assert (found.allowed, found.newest, found.obstacle) == (None, candidate, why)


def test_a_version_below_the_newest_may_be_the_one() -> None:
    found = verdict(
        "1.0.0",
        Candidate(version="1.1.0", published=day(8)),
        Candidate(version="1.2.0", published=day(1)),
    )

    assert found.allowed
    assert found.allowed.version == "1.1.0"
    assert found.newest
    assert found.newest.version == "1.2.0"


def test_a_security_fix_does_not_wait() -> None:
    found = verdict("1.0.0", Candidate(version="1.1.0", published=TODAY, security=True))

    assert found.allowed


def test_a_denied_current_version_is_a_flaw() -> None:
    deny = (DeniedVersions(first="1.0.0", reason="leaves its service disabled"),)

    assert verdict("1.0.0", deny=deny).flaw == "denied: leaves its service disabled"
    assert verdict("1.0.1", deny=deny).flaw == ""


def test_a_pin_says_more_than_its_spec() -> None:
    bad = DeniedVersions(first="3.0.0", reason="bad")
    general = Adoption(cooldown_days=3, prereleases=True, deny=(bad,))
    own = Adoption(cooldown_days=0, deny=(DeniedVersions(first="1.0.0", reason="own"),))

    found = adoption_terms(general, own, hold=None)

    assert (found.cooldown_days, found.prereleases) == (0, True)
    assert [one.reason for one in found.deny] == ["own", "bad"]
    assert adoption_terms(Adoption(), None, hold="x") == AdoptionTerms(cooldown_days=7, hold="x")


@pytest.mark.parametrize(
    ("scheme", "ascending"),
    [
        (Scheme.HANDLER, ["1.9.0", "1.10.0", "1.10.0.2", "2.0.0"]),
        (Scheme.IMAGE, ["0.20260914.2237", "0.20261001.1", "1.0.0"]),
        (Scheme.DEBIAN, ["1.6~rc1-1", "1.6-2.1+deb12u9", "1.6-2.1+deb12u10", "1:0.1-1"]),
        (Scheme.FILE, ["2.9.0", "2.10.0rc1", "2.10.0", "2.10.0.post1"]),
        (Scheme.DEBIAN, ["101.26042.0000", "101.26042.0009", "101.26052.0007"]),
    ],
    ids=str,
)
def test_versions_ascend_as_their_scheme_says(scheme: Scheme, ascending: list[str]) -> None:
    assert sorted([*ascending[1:], ascending[0]], key=lambda text: order(scheme, text)) == ascending
    assert not in_order(scheme, "latest", ascending[0])


numbers = st.integers(min_value=0, max_value=3)
versions = st.builds("{}.{}.{}".format, numbers, numbers, numbers)
days = st.none() | st.integers(min_value=-3, max_value=20).map(day)
candidates = st.builds(
    Candidate,
    version=versions,
    published=days,
    seen=days,
    prerelease=st.booleans(),
    security=st.booleans(),
    missing=st.sampled_from([(), ("westeurope",)]),
    unfit=st.sampled_from(["", "yanked"]),
)
bounds = st.tuples(versions, versions).map(
    lambda pair: sorted(pair, key=lambda text: order(Scheme.HANDLER, text))
)
denials = bounds.map(lambda pair: DeniedVersions(first=pair[0], last=pair[1], reason="bad"))
policies = st.builds(
    AdoptionTerms,
    cooldown_days=st.integers(min_value=0, max_value=14),
    prereleases=st.booleans(),
    deny=st.lists(denials, max_size=2).map(tuple),
    hold=st.none() | st.just("held"),
)
worlds = st.lists(candidates, max_size=6, unique_by=lambda one: one.version)


def choose(current: str, there: list[Candidate], terms: AdoptionTerms) -> Decision:
    return decide(current, there, terms, scheme=Scheme.HANDLER, today=TODAY)


def rank(found: Decision) -> object:
    return order(Scheme.HANDLER, found.allowed.version if found.allowed else found.current)


@given(current=versions, there=worlds, terms=policies)
def test_what_is_adopted_is_newer_and_nothing_stands_against_it(
    current: str, there: list[Candidate], terms: AdoptionTerms
) -> None:
    found = choose(current, there, terms)

    if found.allowed:
        assert not in_order(Scheme.HANDLER, found.allowed.version, current)
        assert obstacle(found.allowed, terms, scheme=Scheme.HANDLER, today=TODAY) == ""
        assert found.newest
    if found.newest and found.newest != found.allowed:
        assert found.obstacle


@given(current=versions, there=worlds, terms=policies, data=st.data())
def test_the_order_of_the_answers_does_not_matter(
    current: str, there: list[Candidate], terms: AdoptionTerms, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(there))

    assert choose(current, shuffled, terms) == choose(current, there, terms)


@given(current=versions, there=worlds, terms=policies)
def test_what_was_adopted_is_where_it_stays(
    current: str, there: list[Candidate], terms: AdoptionTerms
) -> None:
    found = choose(current, there, terms)
    again = choose(found.allowed.version if found.allowed else current, there, terms)

    assert again.allowed is None


@given(current=versions, there=worlds, terms=policies, denial=denials, more=st.integers(0, 10))
def test_a_stricter_policy_never_adopts_a_newer_version(
    current: str, there: list[Candidate], terms: AdoptionTerms, denial: DeniedVersions, more: int
) -> None:
    stricter = dataclasses.replace(
        terms,
        deny=(*terms.deny, denial),
        cooldown_days=terms.cooldown_days + more,
        prereleases=False,
    )

    assert rank(choose(current, there, stricter)) <= rank(choose(current, there, terms))  # type: ignore[operator] # orders of one scheme


@given(current=versions, there=worlds, terms=policies)
def test_a_held_pin_never_moves(current: str, there: list[Candidate], terms: AdoptionTerms) -> None:
    assert choose(current, there, dataclasses.replace(terms, hold="no")).allowed is None


@given(one=candidates)
def test_a_candidate_survives_its_journey_through_json(one: Candidate) -> None:
    assert Candidate.from_json(one.to_json()) == one
