"""A small archive, signed, served on loopback, and the way to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imagebake.kernel.host.download import Downloader
from imagebake.kernel.host.http import Connections
from imagebake.kernel.settings import Settings
from imagebake.lock.apt_sources import AptConfiguration
from imagebake.lock.archive import Archives, find_archives
from tests.support.archive import Archive, Key, a_key, a_small_archive
from tests.support.file_server import Server, serving

NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    with a_key() as made:
        yield made


@pytest.fixture
def archive(tmp_path: Path, key: Key) -> Archive:
    """A small distribution, published."""
    folder = tmp_path / "archive"
    made = a_small_archive(folder / "debian", key)
    made.publish()
    return made


@pytest.fixture
def server(archive: Archive) -> Iterator[Server]:
    with serving(archive.folder.parent) as running:
        yield running


@pytest.fixture
def downloader() -> Downloader:
    return Downloader(connections=Connections(timeout=0.3), max_bytes=1 << 20, pause=lambda _: None)


@pytest.fixture
def archives(
    server: Server, archive: Archive, downloader: Downloader, tmp_path: Path
) -> Callable[..., Archives]:
    """The way to the archive, for a source file and settings."""

    def find(
        sources: str | None = None,
        *,
        check_dates: bool = True,
        **told: Any,  # noqa: ANN401 - any setting
    ) -> Archives:
        path = tmp_path / "debian.sources"
        path.write_text(sources or archive.sources(f"{server.url}/debian"))
        machine = AptConfiguration(
            sources=(path,), keyrings=(), check_dates=check_dates, proxies={}
        )
        return find_archives(
            Settings(**told), machine, downloader=downloader, cache=tmp_path / "indexes"
        )

    return find
