"""The Azure command line through the life of a gallery, an image template and a scale set."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebake.emulator.server import Emulator
from tests.clients.az_steps import STEPS, Wanted, template
from tests.clients.steps import Step

CLIENT = "az"
PATIENCE = 120.0
"""Seconds; no step of a client on this machine takes as long."""

_SHOWN = 600


@dataclass(frozen=True, slots=True)
class Az:
    """`az` with a configuration of its own, and none of this machine's."""

    program: Path
    home: Path
    ca: Path

    def run(self, *words: str) -> tuple[int, str, str]:
        """Its exit code, what it printed, and what it complained of."""
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.home),
            "AZURE_CONFIG_DIR": str(self.home / "config"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_SURVEY_MESSAGE": "no",
            "AZURE_CORE_NO_COLOR": "yes",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "REQUESTS_CA_BUNDLE": str(self.ca),
        }
        try:
            done = subprocess.run(
                [self.program, *words, "--output", "json"],
                env=environment,
                cwd=self.home,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 124, "", f"not over after {PATIENCE:.0f} seconds"
        return done.returncode, done.stdout, done.stderr

    def version(self) -> str:
        """Its version."""
        return str(json.loads(self.run("version")[1])["azure-cli"])


def live(program: Path, emulator: Emulator, login: dict[str, str]) -> Iterator[Step]:
    """Run every step in its order; a step is told as soon as it is over."""
    home = emulator.folder / "az"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    az = Az(program, home, emulator.ca)
    named = az.version()
    words = {**login, "url": emulator.url, "template": str(home / "template.json")}
    words["scope"] = f"/subscriptions/{login['subscription']}/resourceGroups/{login['group']}"
    (home / "template.json").write_text(json.dumps(template(words)), encoding="utf-8")
    for wanted in STEPS:
        start = time.perf_counter()
        code, printed, complained = az.run(*(one.format(**words) for one in wanted.words))
        seconds = round(time.perf_counter() - start, 2)
        why = _why_not(wanted, code, printed, complained)
        yield Step(CLIENT, named, wanted.step, not why, why, seconds)


def _why_not(wanted: Wanted, code: int, printed: str, complained: str) -> str:
    """What is otherwise than it should be; empty when nothing is."""
    if wanted.refused:
        if code and wanted.refused in complained:
            return ""
        return f"expected to be refused with {wanted.refused!r}: {complained[:_SHOWN] or printed}"
    if code:
        return f"ended with {code}: {complained.strip()[-_SHOWN:]}"
    return _otherwise(wanted.answers, printed)


def _otherwise(answers: Callable[[Any], object] | None, printed: str) -> str:
    if answers is None:
        return ""
    try:
        good = answers(json.loads(printed or "null"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}: {printed[:_SHOWN]}"
    return "" if good else f"unexpected answer: {printed[:_SHOWN]}"
