"""Which versions pins move to, and that the spec and its lock move together or not at all."""

from __future__ import annotations

import pytest

from imagebake.bump import PinMove, choose
from imagebake.errors import ArtifactError, UsageError
from imagebake.model.lock import Repository
from imagebake.pins.archive import Suite
from imagebake.pins.index import Index
from tests.support.builders import a_lock, a_spec

COMPONENTS = {"azure-linux-agent": ("waagent",)}


def a_suite(**versions: str) -> Suite:
    stanzas = "\n".join(
        f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: pool/{name}.deb\n"
        f"Size: 1\nSHA256: {'0' * 64}\n"
        for name, listed in versions.items()
        for version in listed.split()
    )
    repository: Repository = a_lock().repositories[0]
    return Suite(repository, Index.parse([stanzas.encode()]))


SUITES = (
    a_suite(waagent="2.7.3.0-4.1", jq="1.6-2.1+deb12u1"),
    a_suite(jq="1.6-2.1+deb12u10 1.6-2.1+deb12u9"),
)


def test_every_pin_moves_to_the_newest_version_of_any_suite() -> None:
    moves = choose(a_spec(), SUITES, components=COMPONENTS, only="", to="")

    assert moves == (PinMove("jq", "1.6-2.1+deb12u1", "1.6-2.1+deb12u10"),)


def test_one_pin_moves_to_the_version_that_is_asked_for() -> None:
    moves = choose(a_spec(), SUITES, components=COMPONENTS, only="jq", to="1.6-2.1+deb12u9")

    assert moves == (PinMove("jq", "1.6-2.1+deb12u1", "1.6-2.1+deb12u9"),)


def test_nothing_moves_twice() -> None:
    spec = a_spec(pins=({"package": "jq", "version": "1.6-2.1+deb12u10"},))

    assert choose(spec, SUITES, components=COMPONENTS, only="", to="") == ()


def test_a_version_that_the_archive_does_not_have_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"the archive has no jq 9\.9") as caught:
        choose(a_spec(), SUITES, components=COMPONENTS, only="jq", to="9.9")

    assert caught.value.hint
    assert "1.6-2.1+deb12u10" in caught.value.hint


@pytest.mark.parametrize(("only", "to"), [("nothing", ""), ("", "1.0")])
def test_a_move_that_names_no_pin_is_refused(only: str, to: str) -> None:
    with pytest.raises(UsageError):
        choose(a_spec(), SUITES, components=COMPONENTS, only=only, to=to)
