from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from imagebake.kernel.errors import ArtifactError, LockError
from imagebake.lock.archive import Archives, Suite
from imagebake.lock.archive_index import Index
from imagebake.lock.resolve import resolve
from imagebake.spec.lock import Lock
from tests.lock.conftest import NOW
from tests.support.archive import Archive
from tests.support.builders import a_spec

COMPONENTS = {"azure-linux-agent": ("waagent",), "chrony": ("chrony",)}
AGENT = {"agent": "azure-linux-agent", "version": "2.7.3.0-4.1"}
CHRONY = {"agent": "chrony", "version": "4.3-2"}
JQ = {"package": "jq", "version": "1.6-2.1+deb12u1"}

Find = Callable[..., Archives]


def lock(archives: Find, *pins: dict[str, str], **changes: object) -> Lock:
    spec = a_spec(pins=pins, **changes)
    suites = archives().open("bookworm", "amd64", now=NOW)
    return resolve(spec, components=COMPONENTS, suites=suites, sizes={})


def names(lock: Lock) -> dict[str, list[str]]:
    return {step.name: [package.name for package in step.packages] for step in lock.steps}


def test_each_step_has_what_it_adds_in_install_order(archives: Find) -> None:
    made = lock(archives, AGENT, CHRONY, JQ)

    steps = names(made)
    assert list(steps) == ["base", "azure-linux-agent", "chrony", "packages"]
    assert sorted(steps["base"]) == [
        "apt",
        "base-files",
        "ca-certificates",
        "dpkg",
        "libc6",
        "libssl3",
        "openssl",
        "sudo",
        "tzdata",
    ]
    assert steps["base"].index("libc6") < steps["base"].index("dpkg")
    assert steps["azure-linux-agent"] == ["python3", "waagent"]
    assert steps["chrony"] == ["chrony"]
    assert sorted(steps["packages"]) == ["jq", "libjq1", "libonig5"]


def test_the_base_asks_for_what_every_system_has_and_what_the_spec_names(
    archives: Find,
) -> None:
    assert lock(archives, JQ).base.pins == (
        "apt",
        "base-files",
        "ca-certificates",
        "dpkg",
        "sudo",
        "tzdata",
    )


def test_a_package_is_locked_by_path_size_and_digest(archives: Find, archive: Archive) -> None:
    made = lock(archives, JQ)

    for package in made.packages:
        path = archive.folder / package.path
        assert path.stat().st_size == package.size


def test_a_pinned_version_and_what_was_built_with_it_are_chosen_over_newer_ones(
    archives: Find, archive: Archive
) -> None:
    for name, depends in (("jq", "libjq1 (= 1.7-1)"), ("libjq1", "libc6")):
        archive.add(name, "1.7-1", depends=depends, source="jq")
    archive.publish()

    chosen = {package.name: package.version for package in lock(archives, JQ).packages}

    assert chosen["jq"] == chosen["libjq1"] == "1.6-2.1+deb12u1"


def test_the_newest_of_what_is_not_pinned_is_chosen(archives: Find, archive: Archive) -> None:
    archive.add("openssl", "3.0.9-9", depends="libc6, libssl3")
    archive.publish()

    chosen = {package.name: package.version for package in lock(archives, AGENT).packages}

    assert chosen["openssl"] == "3.0.17-1"


def test_a_pin_holds_for_the_base_too_and_its_step_has_it_again(
    archives: Find, archive: Archive
) -> None:
    archive.add("sudo", "1.9.99-1", depends="libc6")
    archive.publish()

    made = lock(archives, {"package": "sudo", "version": "1.9.13p3-1"})

    assert names(made)["packages"] == ["sudo"]
    assert {package.version for package in made.packages if package.name == "sudo"} == {
        "1.9.13p3-1"
    }


def test_recommended_packages_stay_out(archives: Find) -> None:
    assert "chrony" not in names(lock(archives, AGENT))["azure-linux-agent"]


def test_every_pin_that_is_gone_is_named_with_what_there_is(archives: Find) -> None:
    with pytest.raises(ArtifactError) as caught:
        lock(
            archives,
            {"agent": "azure-linux-agent", "version": "2.7.0-1"},
            CHRONY,
            {"package": "jq", "version": "1.5-1"},
        )

    assert caught.value.message == (
        "the archive does not have what demo asks for\n"
        "  waagent 2.7.0-1: there is 2.7.3.0-4.1\n"
        "  jq 1.5-1: there is 1.6-2.1+deb12u1"
    )
    assert caught.value.hint == "./inv bump demo"


def test_names_that_nobody_knows_are_all_said(archives: Find) -> None:
    local = {"suite": "bookworm", "packages": ("sudoo",)}

    with pytest.raises(ArtifactError) as caught:
        lock(archives, {"package": "jqq", "version": "1.5-1"}, local=local)

    assert caught.value.message == (
        "the archive does not have what demo asks for\n"
        "  sudoo: there is no such package\n"
        "  jqq: there is no such package"
    )


def test_pins_that_exclude_each_other_are_said_in_apts_words(
    archives: Find, archive: Archive
) -> None:
    archive.add("ntpsec", "1.2", conflicts="chrony", depends="not-there")
    archive.publish()

    with pytest.raises(LockError) as caught:
        lock(archives, CHRONY, {"package": "ntpsec", "version": "1.2"})

    assert caught.value.message.startswith("apt cannot install these together")
    assert "ntpsec : Depends: not-there" in caught.value.message


def test_a_step_that_would_remove_something_is_refused(archives: Find, archive: Archive) -> None:
    archive.add("ntpsec", "1.2", conflicts="chrony")
    archive.publish()

    with pytest.raises(LockError) as caught:
        lock(archives, CHRONY, {"package": "ntpsec", "version": "1.2"})

    assert caught.value.message == "ntpsec=1.2 would remove chrony"


def test_an_agent_outside_the_catalogue_is_said(archives: Find) -> None:
    with pytest.raises(LockError, match="which the catalogue does not have") as caught:
        lock(archives, {"agent": "mystery", "version": "1.0"})

    assert caught.value.hint == "it has: azure-linux-agent, chrony"


def test_a_spec_without_a_suite_cannot_be_locked(archives: Find) -> None:
    with pytest.raises(LockError, match="demo does not say of which suite its image is"):
        lock(archives, JQ, local=None)


def test_the_order_of_a_listing_changes_no_byte(archives: Find, archive: Archive) -> None:
    archive.add("mail-a", "1", provides="mail-agent")
    archive.add("mail-b", "1", provides="mail-agent")
    archive.add("cron", "3.0", depends="mail-agent")
    archive.publish()
    cron = {"package": "cron", "version": "3.0"}
    spec = a_spec(pins=(AGENT, CHRONY, JQ, cron))
    (suite,) = archives().open("bookworm", "amd64", now=NOW)
    stanzas = suite.index.text.split(b"\n\n")[:-1]

    made = set()
    for seed in range(5):
        random.Random(seed).shuffle(stanzas)  # noqa: S311 - an order, not a secret
        index = Index.parse([b"\n\n".join(stanzas) + b"\n"])
        again = Suite(suite.repository, index)
        made.add(resolve(spec, components=COMPONENTS, suites=[again], sizes={}).canonical)

    assert len(made) == 1


def test_a_package_of_several_suites_is_taken_from_the_first(
    archives: Find, archive: Archive
) -> None:
    archive.suites["bookworm-updates"] = [
        package for package in archive.suites["bookworm"] if package["Package"] == "jq"
    ]
    archive.publish()
    suites = archives(None).open("bookworm", "amd64", now=NOW)

    spec = a_spec(pins=(JQ,))
    made = resolve(spec, components=COMPONENTS, suites=suites, sizes={})

    assert {package.repository for package in made.packages} == {"debian/bookworm"}
    assert [one.id for one in made.repositories] == [
        "debian/bookworm",
        "debian/bookworm-updates",
    ]
