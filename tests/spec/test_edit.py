"""An edit changes one scalar, and nothing else, however the file is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.kernel.errors import UsageError
from imagebake.spec.edit import set_keys

HEAD = "# a comment — with more than ASCII\nname: demo\npins:\n"
WAYS = {
    "block": "  - package: jq\n    version: 1.6-2   # why\n    owner: me\n",
    "flow": "  - {package: jq, version: 1.6-2, owner: me}\n",
    "double quotes": '  - package: jq\n    version: "1.6-2"\n',
    "single quotes": "  - {version: '1.6-2', package: jq}\n",
    "crlf": "  - package: jq\r\n    version: 1.6-2\r\n",
    "after another": "  - {agent: other, version: 1.6-2}\n  - {package: jq, version: 1.6-2}\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "image_specs" / "base").mkdir(parents=True)
    return tmp_path / "image_specs"


def write(folder: Path, text: str) -> Path:
    path = folder / "demo.yaml"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("way", WAYS)
def test_only_the_scalar_changes(folder: Path, way: str) -> None:
    path = write(folder, HEAD + WAYS[way])

    edit = set_keys(path, "jq", {"version": "1.7-1"}, root=folder.parent)

    head, _, tail = edit.before.rpartition(b"1.6-2")
    assert edit.after == head + b"1.7-1" + tail
    assert path.read_bytes() == edit.before


def test_a_pin_of_an_include_is_edited_there(folder: Path) -> None:
    path = write(folder, "extends: base/common.yaml\nname: demo\n")
    common = folder / "base" / "common.yaml"
    common.write_text("pins:\n  - {package: jq, version: 1.6-2}\n")

    edit = set_keys(path, "jq", {"version": "1.7-1"}, root=folder.parent)

    assert edit.path == common
    assert edit.after == b"pins:\n  - {package: jq, version: 1.7-1}\n"


def test_a_version_that_reads_as_a_number_is_quoted(folder: Path) -> None:
    path = write(folder, HEAD + WAYS["flow"])

    edit = set_keys(path, "jq", {"version": "1.10"}, root=folder.parent)

    assert b'version: "1.10", owner' in edit.after


def test_a_pin_that_is_not_there_is_named(folder: Path) -> None:
    path = write(folder, HEAD + WAYS["flow"])

    with pytest.raises(UsageError, match="demo pins nothing called 'nothing'"):
        set_keys(path, "nothing", {"version": "1"}, root=folder.parent)


@given(
    version=st.from_regex(
        r"([0-9]:)?[0-9][A-Za-z0-9.+~]{0,8}(-[A-Za-z0-9.+~]{1,6})?", fullmatch=True
    ),
    way=st.sampled_from(sorted(WAYS)),
)
def test_an_edit_and_its_way_back_leave_the_file_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, version: str, way: str
) -> None:
    folder = tmp_path_factory.mktemp("edit") / "image_specs"
    folder.mkdir()
    path = write(folder, HEAD + WAYS[way])
    there = set_keys(path, "jq", {"version": version}, root=folder.parent)
    path.write_bytes(there.after)

    back = set_keys(path, "jq", {"version": "1.6-2"}, root=folder.parent)

    assert back.after.replace(b'"', b"") == there.before.replace(b'"', b"")
    assert version.encode() in there.after
