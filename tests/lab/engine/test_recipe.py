from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imagebake.lab.engine import base
from imagebake.lab.engine.recipe import BaseMarketplace, BaseRecipe

RECIPE = BaseRecipe(
    suite="bookworm", architecture="amd64", packages=("sudo=1.9-1",), bundle="b" * 64
)
SOURCE = {
    "type": "PlatformImage",
    "publisher": "Debian",
    "offer": "debian-12",
    "sku": "12-gen2",
    "version": "0.1.2",
}


@pytest.fixture
def marketplace(tmp_path: Path) -> BaseMarketplace:
    return BaseMarketplace(tmp_path / "marketplace")


def test_what_is_offered_is_found(marketplace: BaseMarketplace) -> None:
    marketplace.register(SOURCE, RECIPE)

    assert marketplace.find(SOURCE) == RECIPE
    assert marketplace.find({**SOURCE, "publisher": "debian", "exactVersion": "x"}) == RECIPE
    assert marketplace.find({**SOURCE, "version": "0.1.3"}) is None


def test_the_last_offer_stands(marketplace: BaseMarketplace) -> None:
    marketplace.register(SOURCE, RECIPE)
    marketplace.register(SOURCE, replace(RECIPE, bundle="c" * 64))

    found = marketplace.find(SOURCE)

    assert found
    assert found.bundle == "c" * 64


def test_a_base_depends_on_its_recipe_and_on_what_its_sources_say(tmp_path: Path) -> None:
    sources = tmp_path / "x.sources"
    sources.write_text("one")
    live = replace(RECIPE, bundle=None, sources=str(sources))
    before = live.digest

    sources.write_text("two")

    digests = {before, live.digest, RECIPE.digest, replace(RECIPE, epoch=1).digest}
    assert len(digests) == 4
    assert replace(RECIPE, packages=("sudo=1.9-1",)).digest == RECIPE.digest


def test_a_live_base_has_its_sources_in_the_scaffold_alone(tmp_path: Path) -> None:
    sources = tmp_path / "x.sources"
    sources.write_text("Types: deb\n")

    plain = base.scaffold_files(RECIPE, network=False)
    live = base.scaffold_files(replace(RECIPE, bundle=None, sources=str(sources)), network=False)

    name = "etc/apt/sources.list.d/imagebake0.sources"
    assert set(live) - set(plain) == {name}
    assert live[name] == (0o644, b"Types: deb\n")
    assert base.scaffold_digest(live) != base.scaffold_digest(plain)
