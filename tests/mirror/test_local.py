from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagebake.kernel.digest import sha256_bytes, sha256_file
from imagebake.kernel.errors import ArtifactError
from imagebake.kernel.host.download import DownloadRequest
from imagebake.kernel.host.http import ARCHIVE
from imagebake.mirror.local import ArtifactsGone, Mirror
from imagebake.spec.lock import LockedFile, LockedPackage
from tests.mirror.conftest import Counter, a_mirror
from tests.support.builders import a_package
from tests.support.file_server import Server, serving

Make = Callable[..., LockedPackage]


def hidden(mirror: Mirror) -> list[Path]:
    return sorted(mirror.root.glob("sha256/*/.*"))


def assert_no_wrong_blob(mirror: Mirror) -> None:
    for blob in mirror.store.blobs():
        assert sha256_file(blob) == blob.name


def test_what_is_missing_is_fetched_and_every_byte_reported(
    mirror: Mirror, make: Make, step: Counter
) -> None:
    packages = [make(f"package-{number}") for number in range(20)]

    mirror.ensure(packages, step=step)

    assert mirror.missing(packages) == ()
    assert step.amount == sum(package.size for package in packages)
    assert hidden(mirror) == []


def test_a_second_time_nothing_is_asked(
    mirror: Mirror, make: Make, server: Server, step: Counter
) -> None:
    packages = [make("jq"), make("bc")]
    mirror.ensure(packages, step=step)
    server.asked.clear()

    mirror.ensure(packages, step=step)

    assert server.asked == []


def test_an_artifact_that_is_named_twice_is_fetched_once(
    mirror: Mirror, make: Make, server: Server, step: Counter
) -> None:
    jq = make("jq")

    mirror.ensure([jq, jq], step=step)

    assert len(server.asked) == 1


def test_everything_that_is_gone_is_named_and_the_rest_fetched(
    mirror: Mirror, make: Make, step: Counter
) -> None:
    there = make("there")
    gone = [a_package("jq", "1.6-2", path="gone/jq.deb"), a_package("bc", path="gone/bc.deb")]

    with pytest.raises(ArtifactsGone) as caught:
        mirror.ensure([*gone, there], step=step)

    assert caught.value.message == "no longer in the archive: bc 1.0-1, jq 1.6-2"
    assert caught.value.gone == (gone[1], gone[0])
    assert mirror.missing([there]) == ()


@pytest.mark.parametrize(
    ("kind", "number", "message"),
    [
        ("garble", 0, "has the sha256"),
        ("append", 10, "is larger than"),
        ("truncate", 100, "ended .* bytes early"),
        ("reset", 100, "Connection reset by peer"),
        ("hang", 100, r"the server did not answer for 0\.3 s"),
        ("status", 500, "the server answered 500"),
    ],
)
def test_each_way_to_fail_is_one_clear_error_and_the_next_run_picks_up(
    kind: str, number: int, message: str, mirror: Mirror, make: Make, server: Server, step: Counter
) -> None:
    packages = [make(f"package-{number}") for number in range(12)]
    server.fail("package-7.deb", kind, number)

    with pytest.raises(ArtifactError, match=message) as caught:
        mirror.ensure(packages, step=step)

    assert "package-7.deb" in caught.value.message
    assert_no_wrong_blob(mirror)
    server.faults.clear()
    mirror.ensure(packages, step=step)
    assert mirror.missing(packages) == ()


def test_a_blob_of_the_wrong_size_is_put_aside_and_fetched_again(
    mirror: Mirror, make: Make, step: Counter
) -> None:
    jq = make("jq")
    path = mirror.store.path(jq.sha256)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut short")

    mirror.ensure([jq], step=step)

    assert_no_wrong_blob(mirror)
    assert (mirror.root / "quarantine" / jq.sha256).read_bytes() == b"cut short"


def test_a_blob_that_another_process_has_just_finished_is_left_alone(
    mirror: Mirror, make: Make, step: Counter
) -> None:
    jq = make("jq")
    mirror.ensure([jq], step=step)

    mirror.fetch(jq, lambda _: None, lambda: True)

    assert mirror.missing([jq]) == ()
    assert not (mirror.root / "quarantine").exists()


def test_a_repository_without_an_address_is_said(mirror: Mirror, step: Counter) -> None:
    with pytest.raises(ArtifactError) as caught:
        mirror.ensure([a_package("mdatp", repository="vendor/prod")], step=step)

    assert caught.value.message == ("this machine has no address for the repository 'vendor/prod'")


def test_pinned_files_are_public_unless_the_mirror_is_told_otherwise(
    tmp_path: Path, server: Server, pool: Path, step: Counter
) -> None:
    (pool / "tool").write_bytes(b"tool")
    file = LockedFile(
        name="tool",
        version="1",
        url=f"{server.url}/tool",
        size=4,
        sha256=sha256_bytes(b"tool"),
        destination="/usr/local/bin/tool",
        mode="0755",
    )
    strict = a_mirror(tmp_path / "strict", server.url)
    lenient = Mirror(store=strict.store, addresses={}, downloader=strict.downloader, files=ARCHIVE)

    with pytest.raises(ArtifactError, match="is not an https address"):
        strict.ensure([file], step=step)
    lenient.ensure([file], step=step)

    assert strict.missing([file]) == ()


def test_the_size_of_a_pinned_file_is_learned_by_fetching_it(
    tmp_path: Path, server: Server, pool: Path, step: Counter
) -> None:
    (pool / "tool").write_bytes(b"tool")
    made = a_mirror(tmp_path / "mirror", server.url)
    mirror = Mirror(store=made.store, addresses={}, downloader=made.downloader, files=ARCHIVE)

    sizes = [
        mirror.fetch_file(
            DownloadRequest(url=f"{server.url}/tool", sha256=sha256_bytes(b"tool")), step=step
        )
        for _ in range(2)
    ]

    assert sizes == [4, 4]
    assert len(server.asked) == 1


def test_a_pinned_file_with_another_digest_is_refused(
    tmp_path: Path, server: Server, pool: Path, step: Counter
) -> None:
    (pool / "tool").write_bytes(b"changed")
    made = a_mirror(tmp_path / "mirror", server.url)
    mirror = Mirror(store=made.store, addresses={}, downloader=made.downloader, files=ARCHIVE)

    with pytest.raises(ArtifactError, match="has the sha256"):
        mirror.fetch_file(
            DownloadRequest(url=f"{server.url}/tool", sha256=sha256_bytes(b"tool")), step=step
        )

    assert list(mirror.store.blobs()) == []


def test_records_are_kept_by_name(mirror: Mirror) -> None:
    assert mirror.recorded("manifests/demo.json") is None

    mirror.record("manifests/demo.json", b"one")
    mirror.record("manifests/demo.json", b"two")

    assert mirror.recorded("manifests/demo.json") == b"two"


FAULTS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["status", "truncate", "garble", "append", "reset", "norange"]),
        st.integers(1, 600),
        st.integers(1, 3),
    ),
    max_size=6,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(FAULTS)
def test_under_any_faults_nothing_wrong_is_stored_and_a_later_run_succeeds(
    make: Make,
    pool: Path,
    tmp_path_factory: pytest.TempPathFactory,
    faults: list[tuple[int, str, int, int]],
) -> None:
    packages = [make(f"package-{number}") for number in range(5)]
    step = Counter()
    with serving(pool) as server:
        mirror = a_mirror(tmp_path_factory.mktemp("mirror"), server.url)
        for which, kind, number, times in faults:
            server.fail(
                f"package-{which}.deb", kind, 503 if kind == "status" else number, times=times
            )

        for _ in range(20):
            try:
                mirror.ensure(packages, step=step)
            except ArtifactError:
                assert_no_wrong_blob(mirror)
            else:
                break

        assert mirror.missing(packages) == ()
        assert_no_wrong_blob(mirror)
        assert hidden(mirror) == []


FETCH = """
import json, sys
from imagebake.spec.lock import LockedPackage
from imagebake.kernel.progress import NoProgress
from tests.mirror.conftest import a_mirror
from pathlib import Path

root, url, packages = sys.argv[1:]
mirror = a_mirror(Path(root), url)
with NoProgress().step("Fetch") as step:
    mirror.ensure([LockedPackage(**one) for one in json.loads(packages)], step=step)
"""


def fetching(project: Path, mirror: Mirror, url: str, packages: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, mirror.root, url, packages],
        cwd=project,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def many(make: Make) -> tuple[list[LockedPackage], str]:
    packages = [make(f"package-{number}") for number in range(30)]
    return packages, "[" + ",".join(package.model_dump_json() for package in packages) + "]"


@pytest.mark.parametrize("after", [1, 9, 20])
def test_a_killed_download_leaves_no_wrong_file_and_the_next_one_goes_on(
    after: int,
    project: Path,
    mirror: Mirror,
    server: Server,
    step: Counter,
    many: tuple[list[LockedPackage], str],
) -> None:
    packages, text = many
    for package in packages[after:]:
        server.fail(package.path, "hang", 150, times=1)
    killed = fetching(project, mirror, server.url, text)
    while len(server.asked) < after + 1:
        assert killed.poll() is None, killed.communicate()[1]

    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()

    assert_no_wrong_blob(mirror)
    server.faults.clear()
    mirror.ensure(packages, step=step)
    assert mirror.missing(packages) == ()
    assert hidden(mirror) == []


def test_two_processes_share_a_mirror_and_the_work(
    project: Path, mirror: Mirror, server: Server, many: tuple[list[LockedPackage], str]
) -> None:
    packages, text = many

    both = [fetching(project, mirror, server.url, text) for _ in range(2)]
    ended = [(process.communicate()[1], process.returncode) for process in both]

    assert ended == [(b"", 0), (b"", 0)]
    assert mirror.missing(packages) == ()
    assert len(server.asked) == len(packages)
