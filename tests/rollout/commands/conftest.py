"""A repository with one image, in the local cloud of this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from imagebake.azure.model.gallery import TAG_PROOF
from imagebake.kernel import context
from imagebake.session import session
from tests.support.live_fleets import World, version_id

SPEC = """\
name: demo
description: A demonstration
owner: platform-team
source: {publisher: Debian, offer: debian-12, sku: 12-gen2, version: "0.20260914.2237"}
local: {suite: bookworm}
gallery:
  definition: demo
  identifier: {publisher: imagebake, offer: demo, sku: base}
  generation: V2
  security: TrustedLaunchSupported
  architecture: x64
pins:
  - {package: jq, version: 1.6-2.1+deb12u1}
regions:
  - name: westeurope
rings:
  - {name: canary, audience: {scale_sets: [canary]}}
  - {name: broad, audience: {scale_sets: [web]}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository, which is where the commands are typed."""
    (tmp_path / "image_specs").mkdir()
    (tmp_path / "image_specs" / "demo.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGEBAKE_ROOT", str(tmp_path))  # ./inv test has set it to the project
    monkeypatch.setenv("IMAGEBAKE_STATE", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def fleet(root: Path) -> Path:
    """Two proved versions, and two scale sets on the first of them."""

    def make(world: World) -> None:
        world.shelf("demo")
        for number in ("1.0.0", "1.0.1"):
            world.version(number, tags={TAG_PROOF: "passed 0123"}, excludeFromLatest=True)
        for name in ("canary", "web"):
            world.scale_set(name, image=version_id("1.0.0"), capacity=0)

    in_azure(make)
    return root


def in_azure(make: Callable[[World], None]) -> None:
    """Do something in the repository's cloud that no command does."""
    with session.connect(context.open_context(quiet=True)) as end:
        assert end.local
        make(World(end.local.emulator, end.cloud))
