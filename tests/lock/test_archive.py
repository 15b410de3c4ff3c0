from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebake.kernel.errors import ArtifactError, UsageError
from imagebake.lock.archive import Archives
from tests.lock.conftest import NOW
from tests.support.archive import Archive, Key
from tests.support.builders import a_lock
from tests.support.file_server import Server

Find = Callable[..., Archives]


def opened(archives: Archives, suite: str = "bookworm") -> list[str]:
    return [one.repository.id for one in archives.open(suite, "amd64", now=NOW)]


def test_a_suite_is_what_the_archive_signed(archives: Find, archive: Archive) -> None:
    (suite,) = archives().open("bookworm", "amd64", now=NOW)

    assert suite.repository.id == "debian/bookworm"
    assert suite.repository.date == "Sat, 14 Nov 2026 09:00:00 UTC"
    assert suite.repository.components == ("main",)
    assert suite.index.versions("waagent") == ("2.7.3.0-4.1",)


def test_an_index_is_fetched_by_its_digest_and_only_once(archives: Find, server: Server) -> None:
    opened(archives())
    first = [path for path in server.paths() if "InRelease" not in path]
    server.asked.clear()

    opened(archives())

    assert ["/by-hash/SHA256/" in path for path in first] == [True]
    assert server.paths() == ["/debian/dists/bookworm/InRelease"]


def test_an_archive_that_does_not_serve_by_digest_after_all_is_asked_by_name(
    archives: Find, server: Server, archive: Archive
) -> None:
    for path in archive.folder.rglob("by-hash/SHA256/*"):
        path.unlink()

    assert opened(archives()) == ["debian/bookworm"]
    assert server.paths()[-1] == "/debian/dists/bookworm/main/binary-amd64/Packages.xz"


def test_an_index_other_than_the_signed_one_is_refused(archives: Find, archive: Archive) -> None:
    for path in archive.folder.rglob("*"):
        if path.is_file() and path.parent.name == "SHA256":
            path.write_bytes(gzip.compress(b"Package: evil\n"))

    with pytest.raises(ArtifactError, match=r"is larger than|has the sha256"):
        opened(archives())


def test_an_archive_under_another_suites_name_is_refused(archives: Find, archive: Archive) -> None:
    archive.publish(changes={"Suite": "bullseye", "Codename": "bullseye"})

    with pytest.raises(ArtifactError) as caught:
        opened(archives())

    assert caught.value.message.endswith(
        "/debian/dists/bookworm/InRelease is about bullseye, not about bookworm"
    )


def test_a_suite_that_the_archive_does_not_have_is_said(archives: Find, server: Server) -> None:
    with pytest.raises(ArtifactError) as caught:
        opened(archives(), "trixie")

    assert caught.value.message == (
        f"{server.url}/debian/dists/trixie does not exist: the archive has no suite trixie"
    )


def test_an_archive_that_hangs_is_one_clear_error(archives: Find, server: Server) -> None:
    server.fail("InRelease", "hang", 3)

    with pytest.raises(ArtifactError, match=r"InRelease: the server did not answer for 0\.3 s"):
        opened(archives())


def test_dates_are_checked_unless_the_machines_apt_does_not(
    archives: Find, archive: Archive
) -> None:
    archive.publish(changes={"Valid-Until": "Sun, 15 Nov 2026 09:00:00 UTC"})

    assert opened(archives(check_dates=False)) == ["debian/bookworm"]
    with pytest.raises(ArtifactError, match="was valid until Sun, 15 Nov 2026"):
        opened(archives())


def test_the_setting_keyring_wins(archives: Find, tmp_path: object) -> None:
    with pytest.raises(ArtifactError, match=r"the keyring /none\.gpg cannot be read"):
        opened(archives(keyring="/none.gpg"))


def test_the_setting_archive_wins(archives: Find, archive: Archive, server: Server) -> None:
    elsewhere = archive.folder.parent / "other.sources"
    elsewhere.write_text(archive.sources(f"{server.url}/debian"))

    found = archives("deb http://unused.example/debian bookworm main", archive=str(elsewhere))

    assert opened(found) == ["debian/bookworm"]


def test_security_fixes_are_a_repository_of_their_own(
    archives: Find, archive: Archive, key: Key, server: Server
) -> None:
    security = Archive(archive.folder.parent / "debian-security", key, label="Debian-Security")
    security.add("openssl", "3.0.17-1+deb12u1", suite="bookworm-security")
    security.publish()
    sources = archive.sources(f"{server.url}/debian") + "\n"
    sources += security.sources(f"{server.url}/debian-security")

    assert opened(archives(sources)) == ["debian/bookworm", "debian-security/bookworm-security"]


def test_a_snapshot_is_asked_instead_and_its_dates_are_not_judged(
    archives: Find, archive: Archive, server: Server
) -> None:
    archive.publish(changes={"Valid-Until": "Sun, 15 Nov 2026 09:00:00 UTC"})
    dated = archive.folder.parent / "snapshot" / "debian" / "20261101T000000Z"
    dated.parent.mkdir(parents=True)
    archive.folder.rename(dated)

    found = archives(snapshot=f"{server.url}/snapshot/{{archive}}/20261101T000000Z")
    (suite,) = found.open("bookworm", "amd64", now=NOW)

    assert suite.repository.snapshot == "20261101T000000Z"
    lock = a_lock(repositories=(suite.repository,))
    assert found.addresses(lock) == {
        "debian/bookworm": f"{server.url}/snapshot/debian/20261101T000000Z"
    }


def test_a_spec_names_the_moment_and_the_setting_where_that_is_kept(
    archives: Find, archive: Archive, server: Server
) -> None:
    archive.publish(changes={"Valid-Until": "Sun, 15 Nov 2026 09:00:00 UTC"})
    dated = archive.folder.parent / "snapshot" / "20261101T000000Z" / "debian"
    dated.parent.mkdir(parents=True)
    archive.folder.rename(dated)

    found = archives(snapshot=f"{server.url}/snapshot/{{date}}/{{archive}}")
    (suite,) = found.open("bookworm", "amd64", now=NOW, moment="20261101T000000Z")

    assert suite.repository.snapshot == "20261101T000000Z"
    assert suite.address == f"{server.url}/snapshot/20261101T000000Z/debian"


def test_a_moment_without_an_address_is_one_clear_error(archives: Find) -> None:
    with pytest.raises(ArtifactError, match=r"bookworm is .* at 20261101T000000Z") as caught:
        archives().open("bookworm", "amd64", now=NOW, moment="20261101T000000Z")

    assert "snapshot" in (caught.value.hint or "")


def test_a_suite_that_only_the_machine_names_is_the_machines(
    archives: Find, archive: Archive, server: Server, tmp_path: Path
) -> None:
    archive.publish()
    other = tmp_path / "ubuntu.list"
    lines = (
        "Types: deb",
        "URIs: http://ubuntu.example/ubuntu",
        "Suites: noble",
        "Components: main",
    )
    other.write_text("\n".join(lines))

    found = archives(archive=str(other))

    assert [one.address for one in found.select("noble", "amd64")] == [
        "http://ubuntu.example/ubuntu"
    ]
    assert found.select("bookworm", "amd64")[0].address == f"{server.url}/debian"


def test_a_snapshot_without_a_date_is_a_usage_error(archives: Find) -> None:
    with pytest.raises(UsageError, match="which names no date"):
        archives(snapshot="https://snapshot.example/debian")


def test_addresses_are_the_machines_own(archives: Find, server: Server) -> None:
    assert archives().addresses(a_lock()) == {"debian/bookworm": f"{server.url}/debian"}


def test_a_machine_without_a_fitting_source_has_no_addresses(archives: Find) -> None:
    assert archives("deb http://x.example/ ./").addresses(a_lock()) == {}
