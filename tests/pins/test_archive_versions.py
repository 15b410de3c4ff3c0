"""Versions of a package in an archive, and the day on which each appeared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from imagebake.kernel.errors import ArtifactError
from imagebake.lock.archive import Archives
from imagebake.pins.archive_versions import ArchiveSource
from imagebake.spec.model.candidates import Origin, Question
from tests.lock.conftest import NOW
from tests.support.archive import Archive
from tests.support.file_server import Server


def question(package: str) -> Question:
    return Question(origin=Origin.ARCHIVE, names=("bookworm", "amd64", package))


def source_of(known: Archives) -> ArchiveSource:
    return ArchiveSource(
        archives=lambda: known,
        packages=frozenset({"jq", "chrony", "openssl", "nothing"}),
        connections=known.downloader.connections,
        now=NOW,
    )


@pytest.fixture
def source(archives: Callable[..., Archives]) -> ArchiveSource:
    return source_of(archives())


def test_a_version_is_as_old_as_its_suite_at_least(
    archive: Archive, archives: Callable[..., Archives]
) -> None:
    archive.add("jq", "1.7-1", suite="bookworm-security")
    archive.publish()

    newest, old = source_of(archives()).candidates(question("jq"))

    assert (newest.version, newest.security) == ("1.7-1", True)
    assert (old.version, old.security) == ("1.6-2.1+deb12u1", False)
    assert newest.published == old.published == dt.date(2026, 11, 14)


def test_a_server_that_knows_the_day_of_a_file_is_believed(
    source: ArchiveSource, server: Server
) -> None:
    server.modified = "Fri, 02 Oct 2026 08:00:00 GMT"

    (found,) = source.candidates(question("jq"))

    assert found.published == dt.date(2026, 10, 2)


def test_a_server_that_says_nothing_useful_is_no_trouble(
    source: ArchiveSource, server: Server
) -> None:
    server.modified = "yesterday"
    server.fail(".deb", "norange")

    (found,) = source.candidates(question("jq"))

    assert found.published == dt.date(2026, 11, 14)


def test_a_suite_is_read_once(source: ArchiveSource, server: Server) -> None:
    for package in ("jq", "chrony", "openssl"):
        source.candidates(question(package))

    assert len([path for path in server.paths() if path.endswith("/InRelease")]) == 1


def test_what_the_archive_does_not_have_is_named(source: ArchiveSource) -> None:
    with pytest.raises(ArtifactError, match="the archive has no package nothing in bookworm"):
        source.candidates(question("nothing"))
