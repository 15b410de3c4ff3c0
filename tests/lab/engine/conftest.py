"""A small real base for the engine's tests, made once for all of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebake.kernel.host import files
from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.recipe import BaseMarketplace, BaseRecipe
from tests.lab.engine import support


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that every worker of this run shares."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "engine"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def mirror(shared: Path) -> Path:
    """A mirror with one bundle, from this machine's archive: a base and a few packages."""
    folder = shared / "mirror"
    with files.file_lock(shared / "mirror.lock"):
        if not folder.is_dir():
            partial = shared / "mirror.part"
            shutil.rmtree(partial, ignore_errors=True)
            support.make_bundle(partial / "bundles" / support.BUNDLE, shared / "apt")
            partial.rename(folder)
    return folder


@pytest.fixture(scope="session")
def recipe(mirror: Path) -> BaseRecipe:
    """A base of the smallest system, with sudo."""
    versions = support.versions(mirror / "bundles" / support.BUNDLE)
    return BaseRecipe(
        suite=support.suite(),
        architecture=support.architecture(),
        packages=tuple(f"{name}={versions[name]}" for name in support.PACKAGES),
        bundle=support.BUNDLE,
    )


@pytest.fixture(scope="session")
def engine(shared: Path, mirror: Path, recipe: BaseRecipe) -> Engine:
    """An engine whose store all tests share; each sees only the layers of its own steps."""
    return support.an_engine(shared / "store", mirror, recipe)


@pytest.fixture
def fresh(
    tmp_path: Path, engine: Engine, recipe: BaseRecipe, request: pytest.FixtureRequest
) -> Iterator[Engine]:
    """An engine with a store of its own that holds the base and nothing else."""
    with files.file_lock(request.getfixturevalue("shared") / "base.lock"):
        record = support.build(engine, [], log=tmp_path / "base.log")
    store = tmp_path / "store"
    (store / "layers").mkdir(parents=True)
    support.copy(engine.store.path(record["base"]), store / "layers" / record["base"])
    yield support.an_engine(store, engine.mirror, recipe)
    shutil.rmtree(store, ignore_errors=True)


@pytest.fixture
def marketplace(tmp_path: Path) -> BaseMarketplace:
    return BaseMarketplace(tmp_path / "marketplace")
