"""Sources of the versions of files: their answers, good and malformed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.download import Downloader
from imagebake.kernel.host.http import ARCHIVE, TransferInterrupted
from imagebake.pins.file_address import digest_in, moved, names_version, versions_in
from imagebake.pins.version_sources import GithubSource, ListingSource, PypiSource
from imagebake.spec.model.candidates import Candidate, Origin, Question
from tests.support.file_server import Server, serving

FILE = "https://files.example/run/releases/download/v2.335.0/runner-linux-x64-2.335.0.tar.gz"
WHEEL = "https://files.example/aa/bb/tool-1.0-py3-none-any.whl"
LISTED = "{url}/tool/v1.2.0/tool-1.2.0.tar.gz"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "served") as running:
        yield running


@pytest.fixture
def read(downloader: Downloader) -> Callable[[str], bytes]:
    return lambda url: downloader.read(url, reach=ARCHIVE, limit=1 << 20)


def put(server: Server, path: str, content: Any) -> None:  # noqa: ANN401 - JSON or a text
    place = server.folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content if isinstance(content, str) else json.dumps(content))


def release(tag: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """A release as the API shows it, with the fields that a recorded answer has."""
    version = tag.removeprefix("v")
    name = f"runner-linux-x64-{version}.tar.gz"
    return {
        "tag_name": tag,
        "name": tag,
        "draft": False,
        "prerelease": False,
        "published_at": "2026-07-20T14:02:11Z",
        "html_url": f"https://files.example/run/releases/tag/{tag}",
        "assets": [
            {
                "name": name,
                "size": 1,
                "digest": "sha256:" + "ab" * 32,
                "browser_download_url": f"https://files.example/run/releases/download/{tag}/{name}",
            }
        ],
    } | changes


def github(server: Server, tag: str = "") -> Question:
    return Question(origin=Origin.GITHUB, names=(f"{server.url}/repos/run", FILE, "2.335.0", tag))


def test_a_release_is_a_version_with_its_file(server: Server, read: Callable[[str], bytes]) -> None:
    listed = [release("v2.336.0"), release("pre-v2.337.0"), release("v2.337.0", draft=True)]
    put(server, "repos/run/releases", listed)

    found = GithubSource(read).candidates(github(server))

    assert found == (
        Candidate(
            version="2.336.0",
            published=dt.date(2026, 7, 20),
            notes="https://files.example/run/releases/tag/v2.336.0",
            url=FILE.replace("2.335.0", "2.336.0"),
            sha256="ab" * 32,
        ),
    )


def test_a_release_without_the_file_or_its_digest_says_so(
    server: Server, read: Callable[[str], bytes]
) -> None:
    bare = release("v3.0.0", prerelease=True)
    bare["assets"][0]["digest"] = None
    put(server, "repos/run/releases", [release("v4.0.0", assets=[]), bare])

    first, second = GithubSource(read).candidates(github(server))

    assert first.unfit == "its release has no runner-linux-x64-4.0.0.tar.gz"
    assert second.unfit == "its release names no sha256 of runner-linux-x64-3.0.0.tar.gz"
    assert second.prerelease


def test_a_tag_may_begin_otherwise(server: Server, read: Callable[[str], bytes]) -> None:
    put(server, "repos/run/releases", [release("blobfuse2-2.5.5"), release("v2.5.6")])

    found = GithubSource(read).candidates(github(server, "blobfuse2-"))

    assert [one.version for one in found] == ["2.5.5"]


def test_an_index_names_releases_their_days_and_what_was_yanked(
    server: Server, read: Callable[[str], bytes]
) -> None:
    def file(version: str, **changes: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any field
        wheel = {
            "filename": f"tool-{version}-py3-none-any.whl",
            "url": f"https://files.example/cc/tool-{version}-py3-none-any.whl",
            "digests": {"sha256": "cd" * 32},
            "upload_time_iso_8601": "2026-10-01T08:00:00.000000Z",
            "yanked": False,
        }
        return [{"filename": f"tool-{version}.tar.gz"}, wheel | changes]

    releases = {"1.1": file("1.1"), "1.2": file("1.2", yanked=True, yanked_reason="broken")}
    put(
        server, "pypi/tool/json", {"info": {"release_url": "x"}, "releases": releases | {"1.3": []}}
    )

    question = Question(origin=Origin.PYPI, names=(f"{server.url}/pypi/tool/json", WHEEL, "1.0"))
    first, second = PypiSource(read).candidates(question)

    assert first == Candidate(
        version="1.1",
        published=dt.date(2026, 10, 1),
        notes="x",
        url="https://files.example/cc/tool-1.1-py3-none-any.whl",
        sha256="cd" * 32,
    )
    assert second.unfit == "withdrawn: broken"


def test_a_page_names_versions_and_digests_lie_beside_the_files(
    server: Server, read: Callable[[str], bytes]
) -> None:
    put(server, "tool/index", '<a href="v1.2.0/"> <a href="v1.10.0/"> <a href="v1.3.0-rc1/">')
    page = '<a href="tool-1.2.0.tar.gz"> <a href="tool-1.10.0.tar.gz">tool-1.10.0.tar.gz</a>'
    put(server, "tool/index", page)
    put(server, "tool/v1.10.0/tool-1.10.0.tar.gz.sha256", "EF" * 32 + "  tool-1.10.0.tar.gz\n")

    names = (f"{server.url}/tool/index", LISTED.format(url=server.url), "1.2.0", "")
    first, second = ListingSource(read).candidates(Question(origin=Origin.LISTING, names=names))

    assert (first.version, first.sha256) == ("1.10.0", "ef" * 32)
    assert first.url == f"{server.url}/tool/v1.10.0/tool-1.10.0.tar.gz"
    assert second.unfit == "tool-1.2.0.tar.gz.sha256 has no sha256 of it"


def test_one_file_may_hold_all_digests(server: Server, read: Callable[[str], bytes]) -> None:
    put(server, "tool/index", "tool-1.3.0.tar.gz")
    sums = "00" * 32 + "  other.tar.gz\n" + "11" * 32 + " *tool-1.3.0.tar.gz\n"
    put(server, "tool/v1.3.0/SHA256SUMS", sums)

    names = (f"{server.url}/tool/index", LISTED.format(url=server.url), "1.2.0", "SHA256SUMS")
    (found,) = ListingSource(read).candidates(Question(origin=Origin.LISTING, names=names))

    assert found.sha256 == "11" * 32


def test_a_page_that_names_nothing_is_refused(server: Server, read: Callable[[str], bytes]) -> None:
    put(server, "tool/index", "moved elsewhere")
    names = (f"{server.url}/tool/index", LISTED.format(url=server.url), "1.2.0", "")

    with pytest.raises(ArtifactError, match=r"names no version of tool-1\.2\.0\.tar\.gz"):
        ListingSource(read).candidates(Question(origin=Origin.LISTING, names=names))


@pytest.mark.parametrize("answer", ["{}", "not json", '[{"tag_name": 1}]', "[[]]", "[1]"])
def test_what_answers_as_something_else_is_named(
    server: Server, read: Callable[[str], bytes], answer: str
) -> None:
    put(server, "repos/run/releases", answer)

    with pytest.raises(ArtifactError, match="does not answer as GitHub's API does"):
        GithubSource(read).candidates(github(server))


@pytest.mark.parametrize("answer", ["[]", "nothing", '{"releases": {"1.1": [{}]}}'])
def test_an_index_that_answers_as_something_else_is_named(
    server: Server, read: Callable[[str], bytes], answer: str
) -> None:
    put(server, "pypi/tool/json", answer)
    question = Question(origin=Origin.PYPI, names=(f"{server.url}/pypi/tool/json", WHEEL, "1.0"))

    with pytest.raises(ArtifactError, match="does not answer as a Python package index does"):
        PypiSource(read).candidates(question)


def test_a_server_that_is_not_well_is_an_error_of_its_own(
    server: Server, read: Callable[[str], bytes]
) -> None:
    put(server, "repos/run/releases", [])
    server.fail("releases", "status", 503)

    with pytest.raises(TransferInterrupted, match="the server answered 503"):
        GithubSource(read).candidates(github(server))


def test_the_version_moves_wherever_the_address_names_it() -> None:
    assert moved(FILE, "2.335.0", "2.336.0").count("2.336.0") == 2
    assert moved("https://h1.2.example/a/1.2/b-1.2.gz", "1.2", "1.3") == (
        "https://h1.2.example/a/1.3/b-1.3.gz"
    )
    assert moved("https://h.example/11.2/1.20/1.2/f", "1.2", "2.0") == (
        "https://h.example/11.2/1.20/2.0/f"
    )
    assert names_version(FILE, "2.335.0")
    assert not names_version(FILE, "2.335")


def test_a_page_is_searched_for_the_last_part_with_the_version() -> None:
    page = "x-1.2.tgz x-1.10.tgz x-1.10.tgz yx-9.tgz x-2.0.tgz.asc x-beta.tgz"

    assert versions_in(page, "https://h.example/x-1.2.tgz", "1.2") == ("1.2", "1.10")
    assert versions_in("v1/ v22/", "https://h.example/v1/tool", "1") == ("1", "22")
    assert versions_in(page, "https://h.example/tool", "1.2") == ()


def test_a_digest_is_found_by_name_or_alone() -> None:
    assert digest_in("AA" * 32, "any") == "aa" * 32
    assert digest_in("aa" * 32 + "  ./x/any\n", "any") == "aa" * 32
    assert digest_in("aa" * 32 + "  other\n", "any") == ""
    assert digest_in("<html>", "any") == ""
