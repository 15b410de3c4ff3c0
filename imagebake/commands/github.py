"""What GitHub Actions is told beside the log: outputs of a step, and the job's summary."""

from __future__ import annotations

import os
from pathlib import Path

from imagebake.digest import canonical_json


def put_output(name: str, value: object) -> None:
    """Say *value*, as JSON on one line, to the steps that follow; elsewhere do nothing."""
    _append("GITHUB_OUTPUT", f"{name}={_one_line(value)}\n")


def put_summary(markdown: str) -> None:
    """Add *markdown* to the job's summary; elsewhere do nothing."""
    _append("GITHUB_STEP_SUMMARY", markdown.rstrip("\n") + "\n\n")


def _one_line(value: object) -> str:
    return " ".join(canonical_json(value).decode().split("\n")).strip()


def _append(variable: str, text: str) -> None:
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)
