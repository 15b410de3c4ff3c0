"""First boots without root: each in a process of its own that is root in a user namespace.

Threads cannot enter a user namespace, and a bake must not run in one. So a task and its answer
go through pipes, as JSON, to a process that runs `main` below. It ends when its standard
input does, and the kernel closes that when the asking process is gone.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from imagebake.inspection.dpkg import unit_packages
from imagebake.kernel.errors import ImagebakeError
from imagebake.kernel.host import namespaces, process
from imagebake.lab.boot.namespaces import MachineNamespaces, NamespacesRefused
from imagebake.lab.boot.scenario import FirstBoot, Scenario
from imagebake.lab.boot.trials import ImageChange
from imagebake.lab.engine.probe import namespace_fix
from imagebake.proof.prove import local_runner

_CODE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class RootlessTask:
    """Request for a first boot of the image of *layers*, or without *scenario* for its units.

    With *groups* there must be control groups for a whole boot, too.
    """

    layers: tuple[Path, ...]
    scenario: Scenario | None = None
    change: ImageChange = ImageChange.NOTHING
    masked: tuple[str, ...] = ()
    vm_id: str = ""
    groups: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RootlessResult:
    """Result of a task: a first boot or the package of each unit, else an error and a hint."""

    seen: FirstBoot | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""
    hint: str | None = None


_TASK, _RESULT = TypeAdapter(RootlessTask), TypeAdapter(RootlessResult)


def run_rootless(task: RootlessTask, *, enter: Sequence[str] = namespaces.MAP) -> RootlessResult:
    """Run *task* in a process that *enter* starts; raises `NamespacesRefused`."""
    path = os.pathsep.join(filter(None, (str(_CODE), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryFile() as errors:
        running = process.start(
            (*enter, sys.executable, "-m", "imagebake.proof.rootless"),
            stdin=process.PIPED,
            stderr=errors.fileno(),
            env={**os.environ, "PYTHONPATH": path},
        )
        assert running.stdin is not None  # noqa: S101 - pipes by our own order
        assert running.stdout is not None  # noqa: S101 - likewise
        with running.stdout, running:
            try:
                running.stdin.write(_TASK.dump_json(task) + b"\n")
                running.stdin.flush()
            except BrokenPipeError:  # it has ended, and says why below
                with contextlib.suppress(BrokenPipeError):
                    running.stdin.close()  # which tries to write once more
            reply = running.stdout.read()
        if not reply:
            errors.seek(0)
            words = errors.read().decode(errors="replace").strip().splitlines() or [
                "it says nothing"
            ]
            raise NamespacesRefused(
                f"this machine refused a user namespace: {words[-1]}",
                hint=namespace_fix(rootless=True),
            )
    answer = _RESULT.validate_json(reply)
    if answer.trouble:
        raise NamespacesRefused(answer.trouble, hint=answer.hint)
    return answer


def boot_rootless(task: RootlessTask, *, enter: Sequence[str] = namespaces.MAP) -> FirstBoot:
    """Run the first boot of *task*; raises as `run_rootless`."""
    seen = run_rootless(task, enter=enter).seen
    assert seen is not None  # noqa: S101 - it has been told apart from trouble
    return seen


def run_task(task: RootlessTask) -> RootlessResult:
    """Run *task* in this process."""
    try:
        if task.scenario is None:
            with MachineNamespaces(task.layers, groups=task.groups) as world:
                return RootlessResult(packages=unit_packages(world.root))
        run = local_runner(
            task.layers,
            masked=task.masked,
            now=functools.partial(dt.datetime.now, dt.UTC),
            new_id=lambda: task.vm_id,
        )
        return RootlessResult(seen=run(task.scenario, task.change))
    except ImagebakeError as error:
        return RootlessResult(trouble=error.message, hint=error.hint)


def main() -> None:
    """Read a task, carry it out, and write the answer."""
    task = _TASK.validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    sys.stdout.buffer.write(_RESULT.dump_json(run_task(task)))
    sys.stdout.buffer.flush()
    os._exit(0)  # the waiting thread is not joined


def _end_with_input() -> None:
    """End this process and its namespaces as soon as the asking process is gone."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
