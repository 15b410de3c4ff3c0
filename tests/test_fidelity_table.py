"""The fidelity table names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_fidelity_table_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "reference" / "emulator.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)+test_\w+\.py)::(test_\w+)`", text)

    missing = [
        f"{module}::{name}"
        for module, name in named
        if f"def {name}(" not in (ROOT / "tests" / module).read_text(encoding="utf-8")
    ]

    assert len(named) > 40
    assert missing == []
