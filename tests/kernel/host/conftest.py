"""A server that misbehaves, and a downloader that does not wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.kernel.host.download import Downloader
from imagebake.kernel.host.http import Connections
from tests.support.file_server import Server, serving


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The directory that `server` serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def server(served: Path) -> Iterator[Server]:
    with serving(served) as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    """How long the downloader would have waited between attempts."""
    return []


@pytest.fixture
def downloader(pauses: list[float]) -> Downloader:
    return Downloader(
        connections=Connections(timeout=0.3), max_bytes=1_000_000, pause=pauses.append
    )
