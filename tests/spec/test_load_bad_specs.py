"""Every kind of bad spec, with all that is said about it: `tests/golden/specs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebake.kernel.errors import SpecError
from imagebake.spec import codes
from imagebake.spec.yaml.text import MAX_BYTES
from tests.spec.conftest import GOLDEN, Load, rendered
from tests.support.golden import Golden

BAD = sorted(GOLDEN.glob("*.yaml"))


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_spec_is_explained(path: Path, load: Load, golden: Golden) -> None:
    with pytest.raises(SpecError) as caught:
        load(path.read_bytes())

    golden.check(f"specs/{path.stem}.stderr", rendered(caught.value))


def test_a_file_that_is_too_large_is_not_read(load: Load, golden: Golden) -> None:
    with pytest.raises(SpecError) as caught:
        load(b"# " + b"x" * MAX_BYTES)

    golden.check("specs/too-large.stderr", rendered(caught.value))


def test_every_code_has_a_bad_spec() -> None:
    output = "".join(path.read_text(encoding="utf-8") for path in GOLDEN.glob("*.stderr"))

    assert [code.id for code in codes.ALL if f"[{code.id}]" not in output] == []


def test_every_message_belongs_to_a_bad_spec() -> None:
    bad = {path.stem for path in BAD} | {"too-large"}

    assert {path.stem for path in GOLDEN.glob("*.stderr")} == bad
