from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.engine.probe import probe
from imagebake.lab.engine.recipe import BaseRecipe
from tests.lab.engine import support
from tests.lab.engine.support import build, shell

SOURCES = Path("/etc/apt/sources.list.d")


def machine_sources() -> list[Path]:
    found = [*SOURCES.glob("*.sources"), *SOURCES.glob("*.list"), SOURCES.with_suffix("")]
    return [path for path in found if path.is_file() and path.stat().st_size]


@pytest.mark.root
@pytest.mark.archive
def test_a_live_base_lets_steps_reach_the_machines_archives(engine: Engine, tmp_path: Path) -> None:
    recipe = replace(
        support.recipe_of(engine),
        bundle=None,
        packages=("sudo",),
        sources=",".join(map(str, machine_sources())),
    )
    live = support.an_engine(tmp_path / "store", None, recipe, network=True)

    record = build(
        live,
        [shell("jq", "sudo apt-get -qq update", "sudo apt-get -qq -y install jq", "jq --version")],
        log=tmp_path / "log",
    )

    assert "    jq: jq-" in (tmp_path / "log").read_text()
    image = support.contents(live, record)
    assert not [name for name in image if name.startswith("/etc/apt/sources.list.d/")]


@pytest.mark.root
def test_a_base_that_cannot_be_made_says_what_apt_said(tmp_path: Path) -> None:
    recipe = BaseRecipe(
        suite="bookworm",
        architecture=support.architecture(),
        packages=("nowhere",),
        bundle="e" * 64,
    )
    bundle = tmp_path / "mirror/bundles" / ("e" * 64)
    bundle.mkdir(parents=True)
    (bundle / "Packages").touch()
    broken = support.an_engine(tmp_path / "store", tmp_path / "mirror", recipe)

    with pytest.raises(EngineFailed) as caught:
        build(broken, [], log=tmp_path / "log")

    assert caught.value.code == "BaseFailed"
    assert caught.value.message.startswith("the base of bookworm could not be made: mmdebstrap")
    assert "nowhere" in caught.value.message
    assert not (broken.folder / "layers").exists()


@pytest.mark.root
def test_a_bundle_that_the_mirror_does_not_have_is_named(tmp_path: Path) -> None:
    recipe = BaseRecipe(suite="bookworm", architecture="amd64", packages=(), bundle="c" * 64)
    engine = support.an_engine(tmp_path / "store", tmp_path / "mirror", recipe)

    with pytest.raises(EngineFailed, match=f"the mirror has no bundle {'c' * 64}"):
        build(engine, [], log=tmp_path / "log")


@pytest.mark.root
def test_root_can_build_here(tmp_path: Path) -> None:
    ability = probe(tmp_path)

    assert (ability.mode, ability.can_build) == ("root", True)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.root
def test_a_root_without_rights_is_told_so(project: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from imagebake.lab.engine.probe import probe;"
        "print(probe(Path(sys.argv[1])))"
    )

    output = support.output(
        "setpriv",
        "--bounding-set=-sys_admin",
        "--inh-caps=-all",
        "env",
        f"PYTHONPATH={project}",
        sys.executable,
        "-c",
        code,
        str(tmp_path),
    )

    assert "mode='root'" in output
    assert "this machine refused a sandbox: unshare: Operation not permitted" in output
    assert "fix='run the container with --privileged" in output
