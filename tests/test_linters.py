"""What machines can say about the code, as tests like all others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

COMMANDS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "shellcheck": ("shellcheck", "inv", ".ci/run", ".ci/bare-root"),
    "zizmor": ("zizmor", "--offline", "--persona", "pedantic", "--quiet", ".github/workflows"),
    "jactionlint": ("jactionlint",),
    "workflow schema": (
        "check-jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        *sorted(str(path) for path in (ROOT / ".github" / "workflows").glob("*.yml")),
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_linter_has_nothing_to_say(project: Path, name: str) -> None:
    program, *words = COMMANDS[name]

    done = subprocess.run(
        [BIN / program, *words], cwd=project, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
