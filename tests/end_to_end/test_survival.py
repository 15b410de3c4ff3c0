"""Bakes that are killed, interrupted, doubled, broken, or out of room."""

from __future__ import annotations

import contextlib
import random
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.end_to_end.bakery import IMAGE, Bakery, await_silence
from tests.end_to_end.depot import Depot

pytestmark = [pytest.mark.root, pytest.mark.archive]


def kill_after(running: subprocess.Popen[str], seconds: float) -> bool:
    """Kill -9 a bake once it has run for *seconds*; says whether it was still running."""
    with running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.communicate(timeout=seconds)
            return False
        running.kill()
        return True


@pytest.mark.parametrize("attempts", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_whatever_is_killed_the_same_command_succeeds_afterwards(
    warm: Bakery, attempts: int
) -> None:
    chance = random.Random(20)  # noqa: S311 - the same points every time
    warm.customize(("one", "echo nothing yet"))
    started = time.perf_counter()
    warm.bake()
    took = time.perf_counter() - started
    killed = 0

    for attempt in range(attempts):
        warm.customize(
            ("one", f"echo {attempt} | sudo tee /etc/attempt"),
            ("two", "sudo sh -c 'sleep 60 & head -c 9000000 /dev/zero >/etc/zeros'"),
        )
        killed += kill_after(warm.start("bake", IMAGE), chance.uniform(0.1, took))
        await_silence(warm.state)
    warm.bake()

    assert killed >= attempts / 2
    assert warm.half_made() == []
    assert [row["version"] for row in warm.versions() if not row["healthy"]] == []
    assert warm.json("validate", IMAGE)[0]["passed"]
    assert warm.json("mirror", "verify")["wrong"] == []


@pytest.mark.slow  # in every run: lab/engine/test_engine_killed.py
def test_a_base_that_is_killed_is_made_by_the_same_command(cold: Bakery) -> None:
    chance = random.Random(3)  # noqa: S311 - the same points every time

    for _ in range(3):
        assert kill_after(cold.start("bake", IMAGE), chance.uniform(0.7, 3))
        await_silence(cold.state)
    made = cold.bake()

    assert made["made"]
    assert cold.half_made() == []
    assert len(cold.versions()) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_bake_ends_with_130_and_leaves_nothing(
    warm: Bakery, number: signal.Signals
) -> None:
    warm.customize(("wait", "echo waiting; sleep 600"))
    before = [row["version"] for row in warm.versions()]
    running = warm.start("bake", IMAGE)
    assert running.stdout
    for line in running.stdout:
        if "Customizing" in line:
            break

    running.send_signal(number)
    output = running.communicate()[0]

    assert running.returncode == 130
    assert "Traceback" not in output
    assert output.endswith("interrupted\n")
    await_silence(warm.state)
    assert warm.half_made() == []
    assert [row["version"] for row in warm.versions()] == before


def test_two_bakes_of_one_image_at_once_make_one_version(warm: Bakery) -> None:
    before = len(warm.versions())
    warm.customize(("slow", "for i in $(seq 200); do true; done; echo both | sudo tee /etc/both"))

    bakes = [warm.start("bake", IMAGE) for _ in range(2)]
    output = [bake.communicate()[0] for bake in bakes]

    assert [bake.returncode for bake in bakes] == [0, 0], output
    assert len(warm.versions()) == before + 1
    outcomes = sorted(one.splitlines()[-1].split()[2] for one in output)
    assert outcomes == ["baked", "unchanged"]


def test_a_failing_step_is_told_with_its_last_words_and_nothing_is_made(warm: Bakery) -> None:
    first = ("first", "echo first | sudo tee /etc/first")
    warm.customize(first, ("second", "echo the disk is made of cheese >&2; exit 4"))
    before = [row["version"] for row in warm.versions()]

    failed = warm.run("bake", IMAGE, ends=7).stderr
    log = re.search(r"the whole output: (\S+)", failed)
    warm.customize(first, ("second", "echo mended | sudo tee /etc/second"))
    layers = warm.layers()
    warm.run("bake", IMAGE)

    assert "second" in failed
    assert "the disk is made of cheese" in failed
    assert log
    assert "the disk is made of cheese" in Path(log[1]).read_text()
    (made, *others) = warm.versions()
    assert [row["version"] for row in others] == before
    newest = max(
        (warm.state / "emulator" / "packerlogs").glob("*"), key=lambda p: p.stat().st_mtime
    )
    told = (newest / "customization.log").read_text()
    assert re.search(r"first: unchanged: layer", told)
    assert layers < warm.layers()
    assert made["healthy"]


def test_a_failing_validator_makes_no_version(warm: Bakery) -> None:
    before = [row["version"] for row in warm.versions()]
    with warm.spec.open("a") as file:
        file.write('validators: [{name: never, inline: ["echo not good enough; exit 1"]}]\n')

    failed = warm.run("bake", IMAGE, ends=7).stderr

    assert "not good enough" in failed
    assert [row["version"] for row in warm.versions()] == before


@pytest.mark.slow  # in every run: lab/engine/test_engine_killed.py
def test_a_full_disk_is_one_clear_error_and_the_next_run_picks_up(
    cold: Bakery, depot: Depot
) -> None:
    steps = (("size=1m", 5), ("remount,size=90m", 7), ("remount,size=900m", 0))
    small = cold.state / "small"
    small.mkdir()
    there = Bakery(cold.root, small, {"archive": str(depot.sources)})
    bake = shlex.join(there.command("bake", IMAGE, "--locked"))
    there.run("lock", IMAGE)
    script = "\n".join(
        f"mount -t tmpfs -o {options} small {small} && {bake} 2>&1; echo ended=$?"
        for options, _ in steps
    )

    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env=there.environment(),
        cwd=there.root,
        capture_output=True,
        text=True,
        check=False,
    )

    output = re.split(r"ended=(\d+)\n", done.stdout)
    assert [int(code) for code in output[1::2]] == [code for _, code in steps], done.stdout
    for failed in (output[0], output[2]):
        assert failed.count("error: ") == 1
        assert re.search(r"no space is left|the disk of .* is full", failed)
        assert "Traceback" not in failed
    assert "baked" in output[4]
