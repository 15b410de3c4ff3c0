from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.inspection import dpkg
from imagebake.inspection.contents import InstalledPackage

STATUS = """\
Package: jq
Status: hold ok installed
Priority: optional
Maintainer: A Person <person@debian.example>
Architecture: amd64
Conffiles:
 /etc/jq.conf 0123456789abcdef0123456789abcdef
 /etc/old.conf fedcba9876543210fedcba9876543210 obsolete
Version: 1.6-2.1+deb12u1
Description: lightweight and flexible command-line JSON processor
 Status: not a field
 .
 Version: neither

Package: adduser
Status: deinstall ok config-files
Architecture: all
Version: 3.134

Package: unborn
Architecture: all
"""

names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,20}", fullmatch=True)
versions = st.from_regex(r"([0-9]:)?[0-9][a-z0-9.+~]{0,10}(-[a-z0-9.+~]{1,5})?", fullmatch=True)
words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20)
packages = st.builds(
    InstalledPackage,
    name=names,
    version=versions,
    architecture=st.sampled_from(["amd64", "arm64", "all"]),
    wanted=st.sampled_from(["install", "hold", "deinstall", "purge", "unknown"]),
    state=st.sampled_from(["installed", "config-files", "half-configured", "unpacked"]),
)


def written(package: InstalledPackage, description: str) -> str:
    return (
        f"Package: {package.name}\n"
        f"Status: {package.wanted} ok {package.state}\n"
        f"Architecture: {package.architecture}\n"
        f"Version: {package.version}\n"
        f"Description: {description}\n {description}\n .\n"
    )


def test_packages_are_read_with_what_is_wanted_and_what_is_so() -> None:
    assert dpkg.parse_status(STATUS) == (
        InstalledPackage("adduser", "3.134", "all", "deinstall", "config-files"),
        InstalledPackage("jq", "1.6-2.1+deb12u1", "amd64", "hold", "installed"),
    )


def test_a_hold_is_a_wish_and_gone_is_a_state() -> None:
    adduser, jq = dpkg.parse_status(STATUS)

    assert (jq.held, jq.gone) == (True, False)
    assert (adduser.held, adduser.gone) == (False, True)


def test_a_package_that_must_be_installed_again_is_not_installed() -> None:
    (package,) = dpkg.parse_status("Package: x\nStatus: install reinstreq installed\nVersion: 1\n")

    assert package.state == "reinstreq"


def test_the_delivered_digests_of_configuration_files_are_known() -> None:
    assert dpkg.recorded_conffiles(STATUS) == {
        "/etc/jq.conf": "0123456789abcdef0123456789abcdef",
        "/etc/old.conf": "fedcba9876543210fedcba9876543210",
    }


def test_digests_and_lists_are_absolute_paths() -> None:
    sums = "d41d8cd98f00b204e9800998ecf8427e  usr/share/doc/a  b\n"

    assert dpkg.recorded_digests(sums) == {
        "/usr/share/doc/a  b": "d41d8cd98f00b204e9800998ecf8427e"
    }
    assert list(dpkg.listed_paths("/.\n/usr\n/usr/bin/x\n")) == ["/usr", "/usr/bin/x"]


@given(
    st.lists(
        st.tuples(packages, words), unique_by=lambda pair: (pair[0].name, pair[0].architecture)
    )
)
def test_what_dpkg_writes_is_what_is_read(rows: list[tuple[InstalledPackage, str]]) -> None:
    text = "\n".join(written(package, description) for package, description in rows)

    found = dpkg.parse_status(text)

    assert found == tuple(
        sorted((package for package, _ in rows), key=lambda one: (one.name, one.architecture))
    )


@given(st.text(max_size=300))
def test_no_text_breaks_the_parser(text: str) -> None:
    dpkg.parse_status(text)
    dpkg.recorded_conffiles(text)
    dpkg.recorded_digests(text)
    list(dpkg.listed_paths(text))


@pytest.mark.parametrize("text", ["", "\n\n\n", "no colon\n", " continued\n", "Status: a b\n"])
def test_what_is_no_stanza_is_passed_over(text: str) -> None:
    assert dpkg.parse_status(text) == ()
