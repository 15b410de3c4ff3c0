"""A bake's way from the command line to the Azure SDK is short enough to be read in a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from imagebake.cli.program import OwnConfig, TaskProgram
from tests.pins.commands.test_pin_life import BASE
from tests.support.archive import a_key, a_small_archive
from tests.support.file_server import serving

PACKAGE = str(Path(__file__).parents[2] / "imagebake")
MOST_FRAMES = 9
DEMO = """\
extends: base/common.yaml
name: demo
description: A demonstration
"""


class StopBake(Exception):
    """Raised in the SDK, so that nothing is built."""


@pytest.fixture
def locked_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "root"
    for name, text in {"base/common": BASE, "demo": DEMO}.items():
        path = root / "image_specs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with a_key() as key, serving(tmp_path / "archive") as server:
        archive = a_small_archive(tmp_path / "archive" / "debian", key)
        archive.publish()
        sources = tmp_path / "test.sources"
        sources.write_text(archive.sources(f"{server.url}/debian"))
        monkeypatch.setenv("IMAGEBAKE_ROOT", str(root))
        monkeypatch.setenv("IMAGEBAKE_ARCHIVE", str(sources))
        assert run("lock", "demo") == 0
        yield root


def run(*words: str) -> int:
    program = TaskProgram(name="imagebake", binary="inv", config_class=OwnConfig)
    try:
        program.run(["inv", *words])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.usefixtures("locked_site")
def test_few_frames_stand_between_the_command_line_and_the_sdk() -> None:
    stacks: list[list[str]] = []

    def profile(frame: FrameType, event: str, _: Any) -> None:  # noqa: ANN401 - as Python has it
        code = frame.f_code
        if event != "call" or code.co_name != "begin_create_or_update":
            return
        if "mgmt/imagebuilder" not in code.co_filename:
            return
        sys.setprofile(None)
        stacks.append(list(ours(frame)))
        raise StopBake

    sys.setprofile(profile)
    try:
        run("bake", "demo", "--no-proof")
    finally:
        sys.setprofile(None)

    (stack,) = stacks
    # The program's own frame, above invoke's, starts the tasks and is not part of the bake.
    assert len([name for name in stack if "cli/program.py" not in name]) <= MOST_FRAMES, stack


def ours(frame: FrameType | None) -> Iterator[str]:
    """Every frame of this project above *frame*, the innermost first."""
    while frame:
        if frame.f_code.co_filename.startswith(PACKAGE):
            yield f"{frame.f_code.co_filename[len(PACKAGE) + 1 :]}:{frame.f_code.co_name}"
        frame = frame.f_back
