"""The tasks `setup`, `test` and `bench`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from imagebake.kernel.context import Context, console_progress, ensure_programs, open_context
from imagebake.kernel.errors import ArtifactError, UsageError
from imagebake.kernel.flags import Flag, Word
from imagebake.kernel.host import process, system_packages
from imagebake.kernel.host.system_packages import NEEDS, ON_DEMAND


def setup() -> None:
    """Install every missing system package; needs root and apt."""
    context = open_context(quiet=False)
    lacking = [need for needs in NEEDS.values() for need in system_packages.missing(needs)]
    ensure_programs(lacking, progress=context.progress)
    if not _provide_azurite(context):
        raise ArtifactError("Azurite was not installed", hint="the lines above say why")
    installed = ", ".join(sorted({need.package for need in lacking}))
    print(f"installed {installed}" if installed else "everything is here")


def _provide_azurite(context: Context) -> bool:
    """Have the storage service that tests talk to; only a clone of the project has its pins."""
    if not (context.workspace.root / "tests" / "azurite" / "package.json").is_file():
        return True
    command = [sys.executable, "-m", "tests.support.azurite"]
    return process.run_on_terminal(command, cwd=context.workspace.root) == 0


def _provide_development(context: Context) -> int:
    """Add the packages of requirements-dev.lock to the clone's own .venv; return an exit code."""
    root = context.workspace.root
    if Path(sys.prefix) != root / ".venv":
        return 0  # another environment: its owner decides what is in it
    return process.run_on_terminal([root / "inv", "--development"])


def test(
    *,
    path: Annotated[str, Word("one test file, or a test's node id")] = "",
    slow: Annotated[bool, Flag("the slow tests, too")] = False,
    bless: Annotated[
        bool, Flag("rewrite golden files, and fail so that they are looked at")
    ] = False,
    select: Annotated[str, Flag("only tests whose name matches")] = "",
) -> int:
    """Run the linters and the suite with everything they need; exits as pytest does."""
    groups = NEEDS | ON_DEMAND if slow else NEEDS
    needs = [need for group in groups.values() for need in group]
    if lacking := system_packages.missing(needs):
        ensure_programs(lacking, progress=console_progress(quiet=False))
    context = open_context(quiet=True)
    if code := _provide_development(context):
        return code
    if not _provide_azurite(context) and "CI" in os.environ:
        raise ArtifactError(
            "Azurite was not installed, and continuous integration does not go without",
            hint="the lines above say why; elsewhere, what needs it is skipped",
        )
    command = [sys.executable, "-m", "pytest"]
    # One more than the cores: boots and drills wait longer than they compute.
    command += [path] if path else ["-n", "3", "--dist", "worksteal"]
    command += [flag for flag, given in (("--slow", slow), ("--bless", bless)) if given]
    command += ["-k", select] if select else []
    return process.run_on_terminal(command, cwd=context.workspace.root)


def bench(
    name: Annotated[
        str,
        Word("one benchmark (default: all)", actions=("debt", "emulator", "heartbeat", "specs")),
    ] = "",
) -> int:
    """Run one benchmark, or all of them; each prints its own table."""
    context = open_context(quiet=True)
    folder = context.workspace.root / "benchmarks"
    known = sorted(path.stem for path in folder.glob("bench_*.py"))
    wanted = [f"bench_{name.removeprefix('bench_')}"] if name else known
    if unknown := set(wanted) - set(known):
        raise UsageError(
            f"there is no benchmark {min(unknown).removeprefix('bench_')!r}",
            hint="benchmarks: " + ", ".join(stem.removeprefix("bench_") for stem in known),
        )
    for stem in wanted:
        if code := process.run_on_terminal(
            [sys.executable, "-m", f"benchmarks.{stem}"], cwd=folder.parent
        ):
            return code
    return 0
