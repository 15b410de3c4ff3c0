"""A rollout that dies when told: `python -m tests.support.killed_rollout FOLDER ACT EVENT NOW`."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.emulators import Clock
from tests.support.rollouts import Rollout, a_rollout

ACTS: Mapping[str, Callable[[Rollout], None]] = {
    "rotate": Rollout.rotate,
    "rollback": Rollout.rollback,
}


def main(folder: Path, act: str, event: str, now: str) -> None:
    """Do *act* in *folder* at the time *now*, and die on hearing what begins with *event*."""

    def die(heard: str) -> None:
        if heard.startswith(event):
            os.kill(os.getpid(), signal.SIGKILL)

    with a_rollout(folder, Clock(dt.datetime.fromisoformat(now))) as rollout:
        rollout.tape.listen = die
        ACTS[act](rollout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
