from __future__ import annotations

import dataclasses
import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.download import Downloader, DownloadRequest
from imagebake.kernel.host.http import (
    ARCHIVE,
    PUBLIC,
    ArtifactNotFound,
    Connections,
    TransferInterrupted,
    display_url,
)
from tests.support.file_server import Server, serving

CONTENT = bytes(range(256)) * 2000


@pytest.fixture(autouse=True)
def _file(served: Path) -> None:
    (served / "file").write_bytes(CONTENT)


def wanted(server: Server, *, content: bytes = CONTENT, path: str = "file") -> DownloadRequest:
    return DownloadRequest(
        url=f"{server.url}/{path}", sha256=sha256_bytes(content), size=len(content)
    )


def leftovers(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def test_a_download_appears_whole_and_read_only(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    target = tmp_path / "kept" / "blob"
    heard: list[int] = []

    size = downloader.fetch(wanted(server), target, reach=ARCHIVE, on_bytes=heard.append)

    assert target.read_bytes() == CONTENT
    assert size == sum(heard) == len(CONTENT)
    assert stat.S_IMODE(target.stat().st_mode) == 0o444
    assert leftovers(target) == []


def test_what_is_there_is_not_asked_for(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    target = tmp_path / "blob"
    downloader.fetch(wanted(server), target, reach=ARCHIVE)

    downloader.fetch(wanted(server), target, reach=ARCHIVE)

    assert len(server.asked) == 1


@pytest.mark.parametrize("kind", ["truncate", "reset"])
def test_a_broken_download_goes_on_where_it_stopped(
    kind: str, server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    server.fail("file", kind, 1000, times=1)
    target = tmp_path / "blob"

    downloader.fetch(wanted(server), target, reach=ARCHIVE)

    assert target.read_bytes() == CONTENT
    resumed = [span for _, span in server.asked[1:]]
    assert resumed == (["bytes=1000-"] if kind == "truncate" else resumed)


def test_a_server_that_cannot_resume_is_asked_for_all_of_it(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    server.fail("file", "truncate", 1000, times=1)
    server.fail("file", "norange", times=1)
    target = tmp_path / "blob"
    heard: list[int] = []

    downloader.fetch(wanted(server), target, reach=ARCHIVE, on_bytes=heard.append)

    assert target.read_bytes() == CONTENT
    assert sum(heard) == len(CONTENT)


def test_a_wrong_beginning_is_dropped_and_fetched_again(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    target = tmp_path / "blob"
    (tmp_path / ".blob.partial").write_bytes(b"something else entirely")

    downloader.fetch(wanted(server), target, reach=ARCHIVE)

    assert target.read_bytes() == CONTENT


def test_a_beginning_longer_than_the_file_is_dropped(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    target = tmp_path / "blob"
    (tmp_path / ".blob.partial").write_bytes(CONTENT * 2)

    downloader.fetch(wanted(server), target, reach=ARCHIVE)

    assert target.read_bytes() == CONTENT


def test_a_whole_beginning_is_verified_without_the_server(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    target = tmp_path / "blob"
    (tmp_path / ".blob.partial").write_bytes(CONTENT)

    downloader.fetch(wanted(server), target, reach=ARCHIVE)

    assert target.read_bytes() == CONTENT
    assert server.asked == []


def test_a_wrong_digest_is_refused_and_leaves_nothing(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    server.fail("file", "garble")
    target = tmp_path / "blob"

    with pytest.raises(ArtifactError) as caught:
        downloader.fetch(wanted(server), target, reach=ARCHIVE)

    got = sha256_bytes(bytes([CONTENT[0] ^ 1]) + CONTENT[1:])
    assert caught.value.message == (
        f"{server.url}/file has the sha256 {got} where {sha256_bytes(CONTENT)} is wanted"
    )
    assert not target.exists()
    assert leftovers(target) == ["served"]


def test_a_file_larger_than_its_lock_says_is_refused_at_once(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    server.fail("file", "append", 1)

    with pytest.raises(ArtifactError, match=f"is larger than {len(CONTENT)} bytes"):
        downloader.fetch(wanted(server), tmp_path / "blob", reach=ARCHIVE)

    assert len(server.asked) == 1


def test_a_file_of_unknown_size_is_capped(
    server: Server, downloader: Downloader, served: Path, tmp_path: Path
) -> None:
    (served / "big").write_bytes(b"x" * 1_000_001)
    server.fail("big", "nolength", 1_000_001)
    unknown = DownloadRequest(url=f"{server.url}/big", sha256="0" * 64)

    with pytest.raises(ArtifactError, match="is larger than 1000000 bytes"):
        downloader.fetch(unknown, tmp_path / "blob", reach=ARCHIVE)


def test_what_is_not_there_is_told_apart(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactNotFound, match=r"/gone does not exist \(404\)"):
        downloader.fetch(wanted(server, path="gone"), tmp_path / "blob", reach=ARCHIVE)


def test_a_forbidden_file_is_not_taken_for_one_that_is_gone(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    server.fail("file", "status", 403)

    with pytest.raises(ArtifactError, match="the server answered 403") as caught:
        downloader.fetch(wanted(server), tmp_path / "blob", reach=ARCHIVE)

    assert not isinstance(caught.value, (ArtifactNotFound, TransferInterrupted))


def test_a_server_that_is_not_well_is_asked_again_after_a_pause(
    server: Server, downloader: Downloader, pauses: list[float], tmp_path: Path
) -> None:
    server.fail("file", "status", 503, times=2)
    target = tmp_path / "blob"

    downloader.fetch(wanted(server), target, reach=ARCHIVE)

    assert target.read_bytes() == CONTENT
    assert pauses == [0.0, 1.0]


def test_a_server_that_stays_unwell_is_an_error(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    server.fail("file", "status", 503)

    with pytest.raises(ArtifactError, match="/file: the server answered 503"):
        downloader.fetch(wanted(server), tmp_path / "blob", reach=ARCHIVE)

    assert len(server.asked) == downloader.attempts


def test_a_server_that_hangs_is_an_error_that_says_how_long(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    server.fail("file", "hang", 10)

    with pytest.raises(ArtifactError, match=r"/file: the server did not answer for 0\.3 s"):
        downloader.fetch(wanted(server), tmp_path / "blob", reach=ARCHIVE)


def test_nobody_listening_is_an_error(downloader: Downloader, tmp_path: Path) -> None:
    nobody = DownloadRequest(url="http://127.0.0.1:1/file", sha256="0" * 64)

    with pytest.raises(ArtifactError, match="/file: Connection refused"):
        downloader.fetch(nobody, tmp_path / "blob", reach=ARCHIVE)


def test_a_redirect_on_the_same_server_is_followed(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    server.fail("start", "redirect", text="/file")
    target = tmp_path / "blob"

    downloader.fetch(wanted(server, path="start"), target, reach=ARCHIVE)

    assert target.read_bytes() == CONTENT


def test_a_redirect_to_another_server_is_refused(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    server.fail("file", "redirect", text="http://elsewhere.example/file?sig=secret")

    with pytest.raises(ArtifactError) as caught:
        downloader.fetch(wanted(server), tmp_path / "blob", reach=ARCHIVE)

    assert (
        caught.value.message == f"{server.url}/file redirects to another server, elsewhere.example"
    )


def test_a_redirect_to_a_host_that_the_pin_names_is_followed_and_verified(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "blob").write_bytes(CONTENT)
    with serving(tmp_path / "other") as other:
        named = (other.url.removeprefix("http://"),)
        server.fail("file", "redirect", text=f"{other.url}/blob?sig=secret")
        other.fail("blob", "truncate", 20, times=1)
        good = dataclasses.replace(wanted(server), redirects=named)
        bad = dataclasses.replace(good, sha256=sha256_bytes(b"else"))

        downloader.fetch(good, tmp_path / "good", reach=ARCHIVE)
        with pytest.raises(ArtifactError, match="has the sha256") as caught:
            downloader.fetch(bad, tmp_path / "bad", reach=ARCHIVE)

    assert (tmp_path / "good").read_bytes() == CONTENT
    assert not (tmp_path / "bad").exists()
    assert "secret" not in caught.value.message
    assert other.asked[1] == ("/blob?sig=secret", "bytes=20-")


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("http://a:b@elsewhere.example/file", "elsewhere.example"),
        ("http://elsewhere.example:81/file", "elsewhere.example"),
        ("http://sub.elsewhere.example/file", "elsewhere.example"),
        ("ftp://elsewhere.example/file", "elsewhere.example"),
    ],
    ids=["with a password", "at another port", "below that host", "otherwise than by http"],
)
def test_a_redirect_to_nearly_that_host_is_refused(
    server: Server, downloader: Downloader, tmp_path: Path, location: str, named: str
) -> None:
    server.fail("file", "redirect", text=location)
    sent = dataclasses.replace(wanted(server), redirects=(named,))

    with pytest.raises(ArtifactError, match="redirects to another server"):
        downloader.fetch(sent, tmp_path / "blob", reach=ARCHIVE)


def test_redirects_end(server: Server, downloader: Downloader, tmp_path: Path) -> None:
    server.fail("file", "redirect", text="/file")

    with pytest.raises(ArtifactError, match="redirects too many times"):
        downloader.fetch(wanted(server), tmp_path / "blob", reach=ARCHIVE)


def test_queries_and_passwords_stay_out_of_messages(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactNotFound) as caught:
        downloader.fetch(wanted(server, path="gone?sig=s3cret"), tmp_path / "b", reach=ARCHIVE)

    assert "s3cret" not in str(caught.value)
    assert display_url("https://user:s3cret@host.example/a?sig=s3cret#s3cret") == (
        "https://host.example/a"
    )


def test_a_public_download_needs_https(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match="is not an https address"):
        downloader.fetch(wanted(server), tmp_path / "blob", reach=PUBLIC)


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher"])
def test_other_schemes_are_refused(scheme: str, downloader: Downloader, tmp_path: Path) -> None:
    other = DownloadRequest(url=f"{scheme}:///etc/passwd", sha256="0" * 64)

    with pytest.raises(ArtifactError, match="is not an https address"):
        downloader.fetch(other, tmp_path / "blob", reach=ARCHIVE)


def test_a_public_download_goes_to_no_private_address(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    private = DownloadRequest(url=server.url.replace("http:", "https:") + "/file", sha256="0" * 64)

    with pytest.raises(ArtifactError) as caught:
        downloader.fetch(private, tmp_path / "blob", reach=PUBLIC)

    assert caught.value.message.endswith(
        ": 127.0.0.1 is at 127.0.0.1, which is not a public address"
    )
    assert server.asked == []


def test_many_who_want_one_file_download_it_once(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    target = tmp_path / "blob"
    threads = [
        threading.Thread(
            target=downloader.fetch, args=(wanted(server), target), kwargs={"reach": ARCHIVE}
        )
        for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert target.read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_connection_is_used_again(server: Server, downloader: Downloader, served: Path) -> None:
    (served / "other").write_bytes(b"other")

    first = downloader.read(f"{server.url}/file", reach=ARCHIVE, limit=1 << 20)
    second = downloader.read(f"{server.url}/other", reach=ARCHIVE, limit=100)

    assert (first, second) == (CONTENT, b"other")


def test_a_text_that_is_too_long_is_refused(server: Server, downloader: Downloader) -> None:
    with pytest.raises(ArtifactError, match="/file is larger than 100 bytes"):
        downloader.read(f"{server.url}/file", reach=ARCHIVE, limit=100)


def test_a_text_that_is_cut_short_is_asked_for_again(
    server: Server, downloader: Downloader
) -> None:
    server.fail("file", "truncate", 10, times=1)

    assert downloader.read(f"{server.url}/file", reach=ARCHIVE, limit=1 << 20) == CONTENT


def test_a_proxy_is_used_for_the_scheme_it_is_named_for(server: Server, served: Path) -> None:
    proxied = Downloader(
        connections=Connections(timeout=1, proxies={"http": server.url}),
        max_bytes=1,
        pause=lambda _: None,
    )

    with pytest.raises(ArtifactNotFound):
        proxied.read("http://archive.example/dists/x", reach=ARCHIVE, limit=10)

    assert server.paths() == ["http://archive.example/dists/x"]


FULL_DISK = """
import sys
from pathlib import Path
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.download import Downloader, DownloadRequest
from imagebake.kernel.host.http import ARCHIVE, Connections
url, sha256, target = sys.argv[1:]
downloader = Downloader(connections=Connections(timeout=5), max_bytes=1 << 30, pause=print)
try:
    downloader.fetch(DownloadRequest(url=url, sha256=sha256), Path(target), reach=ARCHIVE)
except ArtifactError as error:
    print(error.message, "|", error.hint)
"""


@pytest.mark.root
def test_a_full_disk_is_one_clear_error(server: Server, project: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    script = f'mount -t tmpfs -o size=64k none {small} && exec {sys.executable} -c "$0" "$@"'

    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "sh",
            "-c",
            script,
            FULL_DISK,
            f"{server.url}/file",
            sha256_bytes(CONTENT),
            small / "blob",
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout == (
        f"no space is left in {small} | make room (./inv clean), then run it again\n"
    )


def test_a_directory_that_cannot_be_written_is_one_clear_error(
    server: Server, downloader: Downloader, tmp_path: Path
) -> None:
    (tmp_path / ".blob.partial").mkdir()

    with pytest.raises(ArtifactError) as caught:
        downloader.fetch(wanted(server), tmp_path / "blob", reach=ARCHIVE)

    assert caught.value.message == (
        f"{tmp_path}/blob cannot be written: {os.strerror(errno.EISDIR)}"
    )
