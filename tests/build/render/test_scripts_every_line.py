"""No line of what generalises and restages is idle: without it, some image comes out different.

Each line is left out, and the rest runs on roots that are dirty in different ways. What the whole
script makes of them is what the other tests hold to be right.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagebake.build.plan import plan_bake
from imagebake.build.render.delivery import render_restage
from imagebake.build.render.scripts import HYGIENE, render_deprovisioning
from imagebake.build.render.steps import RenderContext
from imagebake.kernel.templating import Templates
from imagebake.spec.catalogue.components import CATALOGUE
from tests.build.render.conftest import lock_of
from tests.build.render.scratch import Scratch
from tests.build.render.test_scripts_deprovisioning import ACCOUNTS, DIRT, KEPT, SHADOW
from tests.support.deliveries import HANDLER, VERSION, a_delivering_spec

pytestmark = pytest.mark.root

PROJECT = Path(__file__).parents[3]
SCRIPT = "/opt/script.sh"
LOG = "/opt/log"
_SPY = f'#!/bin/sh\necho "$0 $* $LC_ALL $TZ $SOURCE_DATE_EPOCH $PYTHONDONTWRITEBYTECODE" >>{LOG}\n'
_STRUCTURE = {"", "{", "}", "do", "done", "then", "else", "fi"}


@dataclass(frozen=True, slots=True)
class World:
    """A root that a script is run on, and how: as root unless *command* says otherwise."""

    dirt: Callable[[Scratch], None]
    command: str = f"sh {SCRIPT}"


def _spies(scratch: Scratch, **more: str) -> None:
    for name in ("waagent", "cloud-init", "sync", "sudo", "systemctl"):
        scratch.write(f"/opt/bin/{name}", _SPY + more.get(name.replace("-", "_"), ""), 0o755)
    scratch.write(LOG, "", 0o666)


def _dirty(scratch: Scratch) -> None:
    """Everything that a script could have to remove, mend or keep is there."""
    common = (one for one in CATALOGUE.components.values() if one.distributed)
    hygiene = {path for one in common for path in one.hygiene}
    for path in (*DIRT, *KEPT, *sorted({*hygiene, *HYGIENE})):
        if not (scratch.folder / path.lstrip("/")).is_dir():
            scratch.write(path.replace("*", "x"), "of one machine\n")
    scratch.write("/etc/passwd", ACCOUNTS)
    scratch.write("/etc/shadow", SHADOW, 0o640)
    scratch.write("/etc/group", "root:x:0:\ndaemon:x:1:\npacker:x:1000:\napp:x:990:\n")
    scratch.write("/etc/gshadow", "root:*::\ndaemon:*::\npacker:!::\napp:!::\n", 0o640)
    scratch.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    scratch.write("/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n")
    scratch.write("/etc/hostname", "build-7\n")
    for path in ("/var/log/dpkg.log", "/var/lib/systemd/timesync/clock", "/run/log/journal/x"):
        scratch.write(path, "x\n")
    scratch.write("/opt/imagebake/restage.sh", f"#!/bin/sh\necho restaged >>{LOG}\n", 0o755)
    _spies(scratch)


def _linked(scratch: Scratch) -> None:
    """What is usually a file is a link, or not there."""
    _dirty(scratch)
    (scratch.folder / "etc/machine-id").unlink()
    (scratch.folder / "etc/machine-id").symlink_to("/opt/tool")
    (scratch.folder / "etc/hostname").unlink()


def _failing(scratch: Scratch) -> None:
    _dirty(scratch)
    _spies(scratch, waagent="exit 3\n")


def _restageable(scratch: Scratch) -> None:
    for name in ("HandlerManifest.json", "bin/agent.egg"):
        scratch.write(f"/opt/imagebake/agent/WALinuxAgent-{VERSION}/{name}", name)
    scratch.write(f"/opt/imagebake/ext/{HANDLER}__1.2.3.zip", "zip", 0o644)
    scratch.write("/var/lib/waagent/WALinuxAgent-9.9.9.9/HandlerManifest.json", "newer")
    scratch.write("/var/lib/waagent/WALinuxAgent-9.9.9.9.zip", "newer")
    (scratch.folder / "run/systemd/system").mkdir(parents=True)
    _spies(scratch)


def _bare(scratch: Scratch) -> None:
    _restageable(scratch)
    shutil.rmtree(scratch.folder / "var/lib/waagent")
    shutil.rmtree(scratch.folder / "run/systemd")


def _unstoppable(scratch: Scratch) -> None:
    _restageable(scratch)
    _spies(scratch, systemctl="exit 5\n")


_AS_NOBODY = f"setpriv --reuid=65534 --clear-groups sh {SCRIPT}"
DEPROVISION = (World(_dirty), World(_linked, f"umask 000; sh {SCRIPT}"), World(_failing),
               World(_dirty, _AS_NOBODY))  # fmt: skip
RESTAGE = (World(_restageable), World(_bare), World(_unstoppable), World(_restageable, _AS_NOBODY))


@functools.cache
def deprovisioning() -> str:
    return _spied(render_deprovisioning(CATALOGUE, Templates(PROJECT / "templates")))


@functools.cache
def restaging() -> str:
    templates = Templates(PROJECT / "templates")
    spec = a_delivering_spec()
    lock = lock_of(spec)
    plan = plan_bake(spec, lock, catalogue=CATALOGUE, templates=templates)
    facts = RenderContext(spec=spec, lock=lock, catalogue=CATALOGUE, manifest=plan.manifest)
    return _spied(render_restage(facts, templates))


def _spied(script: str) -> str:
    """*script* with our spies first where it looks for programs."""
    assert script.count(" PATH=") == 1
    return script.replace(" PATH=", " PATH=/opt/bin:")


def lines_of(script: str) -> list[int]:
    """The numbers of the lines that do something."""
    return [
        number
        for number, line in enumerate(script.splitlines())
        if line.strip() not in _STRUCTURE and not line.lstrip().startswith("#")
    ]


Outcome = tuple[int, dict[str, str]]
Whole = Callable[[World, str], Outcome]


def outcome(world: World, script: str, folder: Path) -> Outcome:
    """Everything that can be seen of a run."""
    scratch = Scratch.make(folder)
    for name in ("log", "tmp"):
        (folder / "var" / name).mkdir(exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    folder.chmod(0o755)
    world.dirt(scratch)
    scratch.write(SCRIPT, script)
    done = scratch.run(f"export PATH=/usr/bin:/bin:/opt/bin; {world.command}")
    (folder / SCRIPT.lstrip("/")).unlink()
    tree = {path: what for path, what in scratch.tree().items() if not path.startswith("/usr/")}
    return done.returncode, tree


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """What comes out of each world with no line left out; made once."""
    known: dict[tuple[World, str], Outcome] = {}

    def made(world: World, script: str) -> Outcome:
        if (world, script) not in known:
            known[world, script] = outcome(world, script, tmp_path_factory.mktemp("w") / "root")
        return known[world, script]

    return made


def _cases() -> list[object]:
    return [
        pytest.param(script, worlds, number, id=f"{name}-{number}-{line.strip()[:40]}")
        for name, script, worlds in (
            ("deprovision", deprovisioning(), DEPROVISION),
            ("restage", restaging(), RESTAGE),
        )
        for number, line in enumerate(script.splitlines())
        if number in lines_of(script)
    ]


@pytest.mark.parametrize(("script", "worlds", "number"), _cases())
def test_without_any_line_some_image_comes_out_different(
    script: str,
    worlds: tuple[World, ...],
    number: int,
    whole: Whole,
    tmp_path: Path,
) -> None:
    lines = script.splitlines(keepends=True)
    without = "".join(lines[:number] + lines[number + 1 :])

    seen = (
        outcome(world, without, tmp_path / str(index)) != whole(world, script)
        for index, world in enumerate(worlds)
    )

    assert any(seen), f"nothing misses {lines[number]!r}"


def test_the_worlds_are_what_they_should_be(whole: Whole) -> None:
    codes = [whole(world, deprovisioning())[0] for world in DEPROVISION]
    codes += [whole(world, restaging())[0] for world in RESTAGE]

    assert codes == [0, 0, 3, 0, 0, 0, 5, 0]


@pytest.mark.parametrize("number", range(len(DEPROVISION)))
def test_the_same_script_has_the_same_outcome(whole: Whole, tmp_path: Path, number: int) -> None:
    for name, script, world in (
        ("deprovision", deprovisioning(), DEPROVISION[number]),
        ("restage", restaging(), RESTAGE[number]),
    ):
        assert outcome(world, script, tmp_path / name) == whole(world, script)
