"""One small image, locked and baked afresh from this machine's archive, for all tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.kernel.host.files import file_lock
from tests.end_to_end.bakery import (
    BOOT,
    GREET,
    IMAGE,
    SPEC,
    Bakery,
    await_silence,
    copy,
    newest_offered,
    os_release,
)
from tests.end_to_end.clones import Clone, a_clone
from tests.end_to_end.depot import Depot, a_depot
from tests.support.archive import Key, a_key


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that every worker of this run shares, and that other users may enter."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "bakes"
    folder.mkdir(exist_ok=True)
    for parent in (folder, *folder.parents[:4]):
        if parent != Path("/tmp"):  # noqa: S108 - where pytest keeps its folders
            parent.chmod(parent.stat().st_mode | 0o111)
    return folder


@pytest.fixture(scope="session")
def seed(shared: Path) -> Bakery:
    """The image baked once; locked afresh, because archives move on and the suite must not age."""
    made = Bakery(shared / "seed" / "site", shared / "seed" / "state")
    with file_lock(shared / "seed.lock"):
        if not (shared / "seed" / "done").exists():
            made.spec.parent.mkdir(parents=True)
            _write_spec(made)
            made.run("lock", IMAGE)
            made.run("bake", IMAGE)
            (shared / "seed" / "done").touch()
    return made


def _write_spec(made: Bakery) -> None:
    own = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    facts = {
        "suite": os_release()["VERSION_CODENAME"],
        "architecture": {"arm64": "Arm64"}.get(own, "x64"),
    }
    made.spec.write_text(SPEC.format(version="0", **facts))
    refused = made.run("lock", IMAGE, ends=5).stderr
    made.spec.write_text(SPEC.format(version=newest_offered(refused), **facts))
    made.customize(BOOT, GREET)


@pytest.fixture
def cold(seed: Bakery, tmp_path: Path) -> Iterator[Bakery]:
    """The same repository with the mirror filled, and nothing built."""
    made = Bakery(tmp_path / "site", tmp_path / "state")
    copy(seed.root, made.root)
    copy(seed.state / "mirror", made.state / "mirror", "--link")
    yield made
    await_silence(made.state)
    shutil.rmtree(made.state)


@pytest.fixture(scope="session")
def baked(seed: Bakery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state directory where the image has been baked, which tests share and may spoil."""
    state = tmp_path_factory.mktemp("warm") / "state"
    copy(seed.state / "mirror", state / "mirror", "--link")
    for name in ("emulator", "engine", "indexes"):
        copy(seed.state / name, state / name)
    yield state
    shutil.rmtree(state)


@pytest.fixture
def warm(seed: Bakery, baked: Path, tmp_path: Path) -> Iterator[Bakery]:
    """The same repository where the image has been baked; other tests baked there, too."""
    made = Bakery(tmp_path / "site", baked)
    copy(seed.root, made.root)
    yield made
    await_silence(made.state)


@pytest.fixture(scope="session")
def key() -> Iterator[Key]:
    with a_key() as made:
        yield made


@pytest.fixture
def depot(seed: Bakery, tmp_path: Path, key: Key) -> Iterator[Depot]:
    """An archive on loopback that has what the seed's mirror has, and that can move on."""
    with a_depot(seed, tmp_path / "depot", key) as made:
        yield made


@pytest.fixture
def clone(tmp_path: Path, key: Key, request: pytest.FixtureRequest) -> Iterator[Clone]:
    """A clone whose image boots."""
    cache = request.config.cache
    assert cache is not None
    with a_clone(cache.mkdir("pages"), tmp_path, key) as made:
        yield made
