from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from imagebake.kernel.errors import LockError
from imagebake.lock.archive_index import Index
from imagebake.lock.resolve import reachable_stanzas
from imagebake.lock.solver import Choice, Solver
from tests.support.packages import control_text


def an_index(**packages: dict[str, str]) -> Index:
    stanzas = [
        control_text({"Package": name, "Version": "1", "Architecture": "amd64", **fields})
        for name, fields in packages.items()
    ]
    return Index.parse(["\n".join(stanzas).encode()])


def reached(names: set[str], *indexes: Index) -> list[str]:
    return sorted({name for index in reachable_stanzas(names, indexes) for name in index.stanzas})


def test_dependencies_are_followed_through_every_alternative() -> None:
    index = an_index(
        app={"Depends": "lib-a (>= 1) | lib-b:any, lib-c [amd64],\n lib-d"},
        other={"Depends": "lib-e"},
        **{f"lib-{name}": {} for name in "abcde"},
    )

    assert reached({"app"}, index) == ["app", "lib-a", "lib-b", "lib-c", "lib-d"]


def test_whoever_provides_a_name_can_have_a_part() -> None:
    index = an_index(
        app={"Pre-Depends": "mail-agent"},
        exim={"Provides": "mail-agent (= 1), smtp", "Depends": "lib"},
        postfix={"Provides": "smtp, mail-agent"},
        lib={},
        none={"Recommends": "app"},
    )

    assert reached({"app"}, index) == ["app", "exim", "lib", "postfix"]


def test_suites_lead_to_each_other() -> None:
    assert reached({"app"}, an_index(app={"Depends": "lib"}), an_index(lib={})) == ["app", "lib"]


NAMES = [f"package-{letter}" for letter in "abcdefg"]
VIRTUAL = ["virtual-x", "virtual-y"]
CLAUSE = st.lists(st.sampled_from(NAMES + VIRTUAL), min_size=1, max_size=3).map(" | ".join)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "Depends": st.lists(CLAUSE, min_size=1, max_size=3).map(", ".join),
        "Provides": st.sampled_from(VIRTUAL),
        "Conflicts": st.sampled_from(NAMES),
    },
)


def chosen(index: Index, request: str) -> tuple[Choice, ...] | None:
    with tempfile.TemporaryDirectory() as name:
        solver = Solver(Path(name), "amd64")
        solver.prepare([index.text], {})
        try:
            return solver.install([request])
        except LockError:
            return None


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(NAMES, FIELDS)))
def test_what_is_out_of_reach_changes_nothing_that_apt_decides(
    packages: dict[str, dict[str, str]],
) -> None:
    whole = an_index(**packages)
    (part,) = reachable_stanzas({NAMES[0]}, [whole])

    assert chosen(part, NAMES[0]) == chosen(whole, NAMES[0])
