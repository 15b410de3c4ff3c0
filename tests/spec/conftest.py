"""A folder of specs to load, and what comes of loading it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from imagebake.kernel.errors import SpecError
from imagebake.spec.load import load_spec
from imagebake.spec.model.image_spec import ImageSpec
from tests.support.golden import FOLDER

GOLDEN = FOLDER / "specs"
Load = Callable[[bytes | str], ImageSpec]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with the includes of the goldens, and no spec."""
    shutil.copytree(GOLDEN / "base", tmp_path / "image_specs" / "base")
    return tmp_path


@pytest.fixture
def load(root: Path) -> Load:
    """Load a text as the spec `demo`."""

    def load_text(text: bytes | str) -> ImageSpec:
        path = root / "image_specs" / "demo.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_spec(path, root=root)

    return load_text


def rendered(error: SpecError) -> str:
    """What a terminal shows of *error*."""
    return "".join(f"{diagnostic}\n" for diagnostic in error.diagnostics)
