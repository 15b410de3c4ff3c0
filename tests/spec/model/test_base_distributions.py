"""What packages are called depends on whose suite it is."""

from __future__ import annotations

import pytest

from imagebake.spec.catalogue.components import CATALOGUE, packages_on
from imagebake.spec.model.base import Distribution, distribution_of
from tests.support.builders import a_spec, a_spec_document


@pytest.mark.parametrize(
    ("suite", "distribution"),
    [
        ("jammy", Distribution.UBUNTU),
        ("noble", Distribution.UBUNTU),
        ("bookworm", Distribution.DEBIAN),
        ("trixie", Distribution.DEBIAN),
        ("forky", Distribution.DEBIAN),
    ],
)
def test_a_suite_is_of_one_distribution(suite: str, distribution: Distribution) -> None:
    assert distribution_of(suite) is distribution
    assert a_spec(local={"suite": suite}).distribution is distribution


def test_the_agents_package_is_called_as_the_distribution_calls_it() -> None:
    names = [packages_on(one)["azure-linux-agent"] for one in Distribution]

    assert names == [("waagent",), ("walinuxagent",)]


def test_the_rest_of_the_catalogue_is_the_same_everywhere() -> None:
    debian, ubuntu = (CATALOGUE.on(one) for one in Distribution)

    assert debian == CATALOGUE
    assert [name for name, one in ubuntu.components.items() if one != debian.components[name]] == [
        name for name, one in CATALOGUE.components.items() if one.ubuntu
    ]


def test_a_moment_of_the_archive_makes_the_lock_another_and_none_keeps_it() -> None:
    dated = a_spec(local={"suite": "noble", "snapshot": "20261121T100000Z"})
    plain = a_spec(local={"suite": "noble"})

    assert dated.lock_inputs()["local"]["snapshot"] == "20261121T100000Z"
    assert "snapshot" not in plain.lock_inputs()["local"]


@pytest.mark.parametrize("moment", ["2026-11-21", "20261121", "20261321T100000Z", "latest"])
def test_a_moment_is_spelled_as_snapshot_services_spell_it(moment: str) -> None:
    with pytest.raises(ValueError, match="20261121T100000Z"):
        a_spec(local=a_spec_document()["local"] | {"snapshot": moment})
