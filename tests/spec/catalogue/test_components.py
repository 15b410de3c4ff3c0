from __future__ import annotations

import re

import pytest

from imagebake.kernel.text import constrained
from imagebake.kernel.text.versions import DebianVersion, Scheme
from imagebake.spec.catalogue import windows
from imagebake.spec.catalogue.component import Component
from imagebake.spec.catalogue.components import CATALOGUE, LINUX, OTHERS, packages_on
from imagebake.spec.catalogue.reference import catalogue_page
from imagebake.spec.model.base import Distribution

components = pytest.mark.parametrize("component", LINUX.values(), ids=list(LINUX))


@components
def test_a_component_is_known_by_its_name(component: Component) -> None:
    assert LINUX[component.name] is component
    assert packages_on(Distribution.DEBIAN)[component.name] == component.packages
    on_ubuntu = packages_on(Distribution.UBUNTU)[component.name]
    assert on_ubuntu == (component.ubuntu or component.packages)
    assert all(constrained.DEBIAN_PACKAGE.fullmatch(name) for name in component.packages)


@components
def test_what_must_start_is_not_masked(component: Component) -> None:
    masked = {download.unit for download in CATALOGUE.downloads}

    assert not masked & set(component.services)
    assert all(unit.endswith(".service") for unit in component.services)


@components
def test_stops_ascend(component: Component) -> None:
    versions = [DebianVersion(stop.since) for stop in component.stops]

    assert versions == sorted(versions)
    assert not versions or versions[0] == DebianVersion("0")


@components
def test_hygiene_is_paths_that_a_shell_may_expand(component: Component) -> None:
    # They go into a script unquoted: nothing but wildcards may be special in them.
    assert all(re.fullmatch(r"/[A-Za-z0-9_.@+/*-]+", path) for path in component.hygiene)
    assert not any(path.rstrip("/*").count("/") < 2 for path in component.hygiene)


def test_a_stop_is_the_last_that_a_version_has_reached() -> None:
    agent = LINUX["azure-linux-agent"]

    assert agent.stop("2.10.0.7-1") is agent.stops[0]
    assert agent.stop("2.10.0.8-1") is agent.stops[1]
    assert LINUX["git"].stop("1:2.39.5-0+deb12u3").settings == ()


def test_no_unit_is_masked_twice() -> None:
    units = [download.unit for download in CATALOGUE.downloads]

    assert len(units) == len(set(units))
    assert {"apt-daily.timer", "apt-daily-upgrade.timer", "motd-news.timer"} <= set(units)


known = pytest.mark.parametrize(
    "component", [*LINUX.values(), *OTHERS], ids=[*LINUX, *(one.name for one in OTHERS)]
)


@known
def test_everything_that_a_reviewer_asks_is_said(component: Component) -> None:
    assert component.packages or component.type or component.install
    assert component.install
    assert component.self_update
    assert component.offline
    assert component.docs.endswith(".")
    assert bool(component.publisher) == bool(component.type)


def test_there_are_twenty_components_of_linux_and_eight_of_windows() -> None:
    names = [*LINUX, *(one.name for one in OTHERS)]

    assert len(names) == len(set(names))
    assert len(names) - len(windows.COMPONENTS) >= 20
    assert len(windows.COMPONENTS) >= 8
    handlers = [one.handler for one in (*LINUX.values(), *OTHERS) if one.handler]
    assert len(handlers) == len(set(handlers))


@pytest.mark.parametrize(
    ("version", "bad"),
    [
        ("101.26041.9999", False),
        ("101.26042.0000", True),
        ("101.26042.0009-1", True),
        ("101.26042.0010", False),
        ("101.26052.0007", True),
        ("101.26052.0008", False),
    ],
)
def test_the_builds_of_defender_that_left_it_disabled_are_denied(
    version: str, *, bad: bool
) -> None:
    denied = LINUX["defender-for-endpoint"].denied

    assert any(one.covers(version, Scheme.DEBIAN) for one in denied) is bad


def test_the_page_names_everything() -> None:
    page = catalogue_page()

    for component in (*LINUX.values(), *OTHERS):
        assert f"### {component.name}\n" in page
        assert component.docs in page
    for download in CATALOGUE.downloads:
        assert f"| `{download.unit}` | {download.fetches} |" in page
