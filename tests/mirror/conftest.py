"""A mirror, and a server to fill it from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.host.download import Downloader
from imagebake.kernel.host.http import Connections
from imagebake.mirror.local import Mirror
from imagebake.mirror.store import DirectoryStore
from imagebake.spec.lock import LockedPackage
from tests.support.builders import a_package
from tests.support.file_server import Server, serving
from tests.support.packages import a_deb


@dataclass(slots=True)
class Counter:
    """A step that counts, for tests that ask what was reported."""

    amount: int = 0

    def advance(self, label: str = "", amount: int = 1) -> None:
        del label
        self.amount += amount

    def note(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture
def step() -> Counter:
    return Counter()


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """The directory of packages that `server` serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def server(pool: Path) -> Iterator[Server]:
    with serving(pool) as running:
        yield running


@pytest.fixture
def make(pool: Path) -> Callable[..., LockedPackage]:
    """Put a package into the pool, and lock it."""

    def package(name: str, version: str = "1.0-1") -> LockedPackage:
        fields = {"Package": name, "Version": version, "Architecture": "amd64", "Depends": "libc6"}
        content = a_deb({**fields, "Description": f"about {name}\n {name} " + "x" * 2000})
        (pool / f"{name}.deb").write_bytes(content)
        return a_package(
            name, version, path=f"{name}.deb", size=len(content), sha256=sha256_bytes(content)
        )

    return package


@pytest.fixture
def mirror(tmp_path: Path, server: Server) -> Mirror:
    return a_mirror(tmp_path / "mirror", server.url)


def a_mirror(root: Path, url: str) -> Mirror:
    return Mirror(
        store=DirectoryStore(root),
        addresses={"debian/bookworm": url},
        downloader=Downloader(
            connections=Connections(timeout=0.3), max_bytes=1 << 20, pause=lambda _: None
        ),
    )
