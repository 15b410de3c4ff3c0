"""Files that people review: a test compares with them, `--bless` rewrites and still fails."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "golden"


@dataclass(frozen=True, slots=True)
class Golden:
    """Compares texts with the files below `tests/golden`."""

    bless: bool

    def check(self, name: str, text: str) -> None:
        """Fail unless *text* is what the golden file *name* holds."""
        path = FOLDER / name
        wanted = path.read_text(encoding="utf-8") if path.is_file() else None
        if text == wanted:
            return
        if self.bless:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            pytest.fail(f"blessed {name}: look at it, then run again without --bless")
        lines = difflib.unified_diff(
            (wanted or "").splitlines(), text.splitlines(), f"golden/{name}", "now", lineterm=""
        )
        pytest.fail("\n".join(lines) + "\n(pytest --bless rewrites it)")
