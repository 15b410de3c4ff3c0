"""A thousand specs, of which every one has really changed: linted, and planned against git."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.bench_rules import generate
from benchmarks.measure import ROOT, Contest, Run, command, report, seconds
from imagebake.spec.lock import Lock

COUNT = 1000
PIN, OLD, NEW = "tmux", "3.3a-3", "3.3a-4"


def main() -> None:
    """Measure the rules, the plan, and both; beside git, which says what the lines are."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        generate(root, COUNT)
        (root / "templates").symlink_to(ROOT / "templates")
        _git(root, "init", "--quiet", "--initial-branch", "main")
        _git(root, "add", "image_specs")
        who = ("-c", "user.name=Bench", "-c", "user.email=bench@imagebake.test")
        _git(root, *who, "commit", "--quiet", "--message", "As it was")
        generate(root, COUNT, edit=lambda text: text.replace(OLD, NEW), move=_moved)
        lint = _imagebake(root, "validate", "--all", "--rules-only")
        plan = _imagebake(root, "plan", "--base", "main")
        report(
            [
                Contest(f"validate --all --rules-only, {COUNT} specs", lint, None, "limit", 5),
                Contest(
                    f"plan --base, {COUNT} images changed",
                    plan,
                    lambda: seconds(lambda: _git(root, "diff", "main")),
                    "git diff",
                    20,
                ),
                Contest("both", lambda: lint() + plan(), None, "limit", 5),
            ],
            runs=3,
        )


def _imagebake(root: Path, *words: str) -> Run:
    return command([sys.executable, "-m", "imagebake", *words], IMAGEBAKE_ROOT=str(root))


def _moved(lock: Lock) -> Lock:
    """The lock with the pin at its newer version."""
    steps = tuple(
        step.model_copy(
            update={
                "packages": tuple(
                    one.model_copy(
                        update={
                            "version": NEW,
                            "sha256": "0" * 64,
                            "path": one.path.replace(OLD, NEW),
                        }
                    )
                    if one.name == PIN
                    else one
                    for one in step.packages
                )
            }
        )
        for step in lock.steps
    )
    return lock.model_copy(update={"steps": steps})


def _git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
