"""What a killed process leaves is finished by the next one, at once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.emulators import Clock
from tests.support.killed_rollout import ACTS
from tests.support.rollouts import Rollout, a_rollout

ROOT = Path(__file__).parents[2]


def prepare(rollout: Rollout, act: str) -> None:
    """A fleet that *act* is the next thing for."""
    rollout.build()
    rollout.rotate()
    rollout.clock.turn(days=1)
    if act == "rollback":
        rollout.rotate()
        rollout.clock.turn(hours=1)


@pytest.mark.parametrize(
    ("act", "event"),
    [
        ("rotate", "Wait until"),
        ("rotate", "Make demo@1.0.1 current in ring broad"),
        ("rotate", "Move 2 scale sets"),
        ("rotate", "broad-2: on"),
        ("rollback", "Exclude demo@1.0.1"),
        ("rollback", "Move scale set canary"),
    ],
)
def test_a_killed_rollout_is_finished_by_the_next_one(tmp_path: Path, act: str, event: str) -> None:
    clock, goal, killed = Clock(), tmp_path / "goal", tmp_path / "killed"
    with a_rollout(goal, clock, build=lambda one: prepare(one, act)):
        pass
    shutil.copytree(goal, killed)
    with a_rollout(goal, clock) as rollout:
        ACTS[act](rollout)
        wanted = rollout.state()

    command = [sys.executable, "-m", "tests.support.killed_rollout", str(killed), act, event]
    done = subprocess.run([*command, clock().isoformat()], cwd=ROOT, check=False)

    with a_rollout(killed, clock) as rollout:
        left = rollout.claims()
        ACTS[act](rollout)
        assert rollout.state() == wanted
        assert rollout.claims() == []
    assert done.returncode == -signal.SIGKILL
    assert len(left) == 1
