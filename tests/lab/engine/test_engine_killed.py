from __future__ import annotations

import json
import random
import shlex
import subprocess
from pathlib import Path

import pytest

from imagebake.lab.engine.engine import Engine
from tests.lab.engine import support
from tests.lab.engine.support import build, shell

pytestmark = [pytest.mark.root, pytest.mark.archive]

STEPS = [
    shell("install", support.install("jq"), "echo installed"),
    shell("write", "echo writing", "sudo dd if=/dev/zero of=/etc/zeros bs=1M count=20 2>&1"),
    shell("daemon", "sudo sh -c 'sleep 600 & sleep 600 &'", "echo left some behind"),
    shell("last", "echo last"),
]


def kill_after(command: tuple[str, ...], lines: int) -> int:
    """Start *command*, kill it once it has printed *lines* lines, and say what it printed."""
    seen = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for _ in process.stdout:
            seen += 1
            if seen >= lines:
                process.kill()
                break
    return seen


def wait_until_gone(word: str) -> None:
    """Wait for processes that the kernel is killing already."""
    for pid in support.processes(word):
        subprocess.run(["tail", f"--pid={pid}", "-f", "/dev/null"], check=True, timeout=20)


def test_a_build_that_is_killed_anywhere_leaves_nothing_in_the_way(
    fresh: Engine, tmp_path: Path
) -> None:
    chance = random.Random(2026)  # noqa: S311 - the same points every time
    store = str(fresh.folder)

    for _ in range(12):
        kill_after(support.program(fresh, STEPS), chance.randint(1, 60))
        wait_until_gone(store)
        assert support.mounts(store) == []
    wanted = build(fresh, STEPS, log=tmp_path / "log")

    assert [path.name for path in (fresh.folder / "tmp").iterdir()] == []
    image = support.contents(fresh, wanted)
    assert "/usr/bin/jq" in image
    assert len(image["/etc/zeros"].content) == 20 << 20


def test_a_base_that_is_killed_is_made_again(engine: Engine, tmp_path: Path) -> None:
    cold = support.an_engine(tmp_path / "cold", engine.mirror, support.recipe_of(engine))

    killed_at = kill_after(support.program(cold, []), 8)
    wait_until_gone(str(cold.folder))

    assert killed_at == 8
    assert not (cold.folder / "layers").exists()
    assert support.mounts(str(cold.folder)) == []


def test_a_full_disk_is_one_clear_error_and_publishes_nothing(
    fresh: Engine, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    small = support.an_engine(disk / "store", fresh.mirror, support.recipe_of(fresh))
    fill = [shell("fill", "dd if=/dev/zero of=/home/packer/zeros bs=1M count=200")]
    script = (
        f"mount -t tmpfs -o size=400m small {disk} && cp -a {fresh.folder} {disk}/store && "
        f"{shlex.join(support.program(small, fill))}; "
        f"ls {disk}/store/tmp; grep -l '\"fill\"' {disk}/store/layers/*/layer.json; "
        f"{shlex.join(support.program(small, [shell('fits', 'true')]))}"
    )

    lines = support.output("unshare", "--mount", "sh", "-c", script).splitlines()

    failure = next(json.loads(line) for line in lines if line.startswith('{"code"'))
    assert failure == {"code": "DiskFull", "message": f"the disk of {disk}/store is full"}
    after = lines[lines.index(json.dumps(failure)) + 1 :]
    assert after[0] == "Building"
    assert "content_sha256" in json.loads(after[-1])
