"""Pins come and go, and everything else in the file stays as it was, however it is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.kernel.errors import UsageError
from imagebake.spec.edit import add_entry, remove_entry, set_keys
from imagebake.spec.yaml.nodes import YamlSource, plain
from imagebake.spec.yaml.reader import read

NEW = {"package": "tmux", "version": "3.3a-3"}


def parsed_entries(content: bytes) -> dict[str, object]:
    tree, wrong = read(content.decode(), YamlSource("demo.yaml", ()))
    assert tree
    assert wrong == []
    value = plain(tree)
    assert isinstance(value, dict)
    return value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "image_specs" / "base").mkdir(parents=True)
    return tmp_path / "image_specs"


def write(folder: Path, text: str) -> Path:
    path = folder / "demo.yaml"
    path.write_bytes(text.encode())
    return path


ADDED = {
    "block": (
        "pins:\n  - package: jq\n    version: 1.6-2 # why\n\n# regions\nregions: [a]\n",
        (
            "pins:\n  - package: jq\n    version: 1.6-2 # why\n"
            "  - package: tmux\n    version: 3.3a-3\n\n# regions\nregions: [a]\n"
        ),
    ),
    "dashes in the first column": (
        "pins:\n- package: jq\n  version: 1.6-2\nregions: [a]\n",
        (
            "pins:\n- package: jq\n  version: 1.6-2\n"
            "- package: tmux\n  version: 3.3a-3\nregions: [a]\n"
        ),
    ),
    "no line break at the end": (
        "pins:\n  - {package: jq, version: 1.6-2}",
        "pins:\n  - {package: jq, version: 1.6-2}\n  - package: tmux\n    version: 3.3a-3\n",
    ),
    "flow": (
        "pins: [{package: jq, version: 1.6-2}] # two\n",
        "pins: [{package: jq, version: 1.6-2}, {package: tmux, version: 3.3a-3}] # two\n",
    ),
    "flow with a comma at the end": (
        "pins: [\n  {package: jq, version: 1.6-2}, # one\n]\n",
        "pins: [\n  {package: jq, version: 1.6-2}, {package: tmux, version: 3.3a-3}, # one\n]\n",
    ),
    "empty": ("pins: []\n", "pins: [{package: tmux, version: 3.3a-3}]\n"),
    "no list": (
        "name: demo\n# end\n",
        "name: demo\npins:\n  - package: tmux\n    version: 3.3a-3\n# end\n",
    ),
    "all in flow": (
        "{name: demo}\n",
        "{name: demo, pins: [{package: tmux, version: 3.3a-3}]}\n",
    ),
    "crlf": (
        "pins:\r\n  - package: jq\r\n    version: 1.6-2\r\n",
        (
            "pins:\r\n  - package: jq\r\n    version: 1.6-2\r\n"
            "  - package: tmux\r\n    version: 3.3a-3\r\n"
        ),
    ),
    "below a block that keeps its lines": (
        "pins:\n  - package: jq\n    reason: |+\n      two\n\n\nname: demo\n",
        (
            "pins:\n  - package: jq\n    reason: |+\n      two\n\n\n"
            "  - package: tmux\n    version: 3.3a-3\nname: demo\n"
        ),
    ),
}


@pytest.mark.parametrize("way", ADDED)
def test_a_pin_is_added_in_the_style_of_the_list(folder: Path, way: str) -> None:
    before, after = ADDED[way]
    path = write(folder, before)

    edit = add_entry(path, "pins", NEW, root=folder.parent)

    assert edit.after.decode() == after
    assert path.read_bytes() == edit.before == before.encode()


REMOVED = {
    "block": (
        (
            "pins:\n  # one\n  - package: jq # here\n    version: 1.6-2 # why\n  # two\n"
            "  - package: vim\n    version: 9-1\n"
        ),
        "pins:\n  # one\n  # two\n  - package: vim\n    version: 9-1\n",
    ),
    "the last of a block": (
        "pins:\n  - {package: vim, version: 9-1}\n  - {version: 1.6-2, package: jq}\nname: demo\n",
        "pins:\n  - {package: vim, version: 9-1}\nname: demo\n",
    ),
    "the only one": (
        "pins: # none\n  - package: jq\n    version: 1.6-2\nname: demo\n",
        "pins: [] # none\nname: demo\n",
    ),
    "a dash alone": (
        "pins:\n  -\n    package: jq\n    version: 1.6-2\n  - {package: vim, version: 9-1}\n",
        "pins:\n  - {package: vim, version: 9-1}\n",
    ),
    "the first of a flow": (
        "pins: [{package: jq, version: 1.6-2}, {package: vim, version: 9-1}]\n",
        "pins: [{package: vim, version: 9-1}]\n",
    ),
    "the last of a flow": (
        "pins: [{package: vim, version: 9-1}, {package: jq, version: 1.6-2},]\n",
        "pins: [{package: vim, version: 9-1},]\n",
    ),
    "the only one of a flow": ("pins: [{package: jq, version: 1.6-2},]\n", "pins: []\n"),
    "crlf": (
        "pins:\r\n- package: jq\r\n  version: 1.6-2\r\n- package: vim\r\n",
        "pins:\r\n- package: vim\r\n",
    ),
}


@pytest.mark.parametrize("way", REMOVED)
def test_a_pin_is_removed_with_its_lines(folder: Path, way: str) -> None:
    before, after = REMOVED[way]
    path = write(folder, before)

    assert remove_entry(path, "pins", "jq", root=folder.parent).after.decode() == after


def test_a_pin_of_an_include_is_not_removed(folder: Path) -> None:
    path = write(folder, "extends: base/common.yaml\nname: demo\n")
    (folder / "base" / "common.yaml").write_text("pins:\n  - {package: jq, version: 1.6-2}\n")

    with pytest.raises(UsageError, match=r"jq comes from image_specs/base/common\.yaml") as caught:
        remove_entry(path, "pins", "jq", root=folder.parent)

    assert caught.value.hint


def test_what_is_not_there_cannot_be_removed(folder: Path) -> None:
    path = write(folder, "pins: []\n")

    with pytest.raises(UsageError, match="demo pins nothing called 'jq'"):
        remove_entry(path, "pins", "jq", root=folder.parent)


def test_an_extension_and_the_source_move_by_their_names(folder: Path) -> None:
    path = write(
        folder,
        "source: {publisher: D, version: 0.1.2} # image\nextensions:\n"
        "  - publisher: A.B\n    type: C\n    version: 1.2.3\n",
    )

    moved = set_keys(path, "source", {"version": "0.1.10"}, root=folder.parent)
    both = set_keys(
        path, "A.B.C", {"version": "1.10.0"}, root=folder.parent, instead={path: moved.after}
    )

    assert both.after == moved.before.replace(b"0.1.2", b"0.1.10").replace(b"1.2.3", b"1.10.0")


def test_several_keys_of_a_pin_move_at_once(folder: Path) -> None:
    path = write(
        folder,
        "pins:\n  - version: '1.2'\n    sha256: 00 # digest\n"
        "    file: https://a.example/v1.2/tool\n",
    )

    edit = set_keys(
        path,
        "tool",
        {"file": "https://a.example/v1.10/tool", "version": "1.10", "sha256": "ff"},
        root=folder.parent,
    )

    assert edit.after.decode() == (
        "pins:\n  - version: '1.10'\n    sha256: ff # digest\n"
        "    file: https://a.example/v1.10/tool\n"
    )


def test_a_key_that_is_not_there_cannot_move(folder: Path) -> None:
    path = write(folder, "pins:\n  - {package: jq}\n")

    with pytest.raises(UsageError, match="jq has no 'version' that could be changed"):
        set_keys(path, "jq", {"version": "1.7-1"}, root=folder.parent)


words = st.text(alphabet="abc äß→😀,;.()", max_size=12)
comments = st.none() | words.map(lambda text: f" # {text}")
ends = st.sampled_from(["\n", "\r\n"])
quotes = st.sampled_from(["", "'", '"'])
versions = st.from_regex(
    r"([0-9]:)?[0-9][A-Za-z0-9.+~]{0,8}(-[A-Za-z0-9.+~]{1,6})?", fullmatch=True
)


@dataclass(frozen=True)
class Document:
    """A spec as somebody may have written it, and the names of its pins."""

    text: str
    names: tuple[str, ...]


@st.composite
def scalars(draw: st.DrawFn, text: str, indent: int) -> str:
    style = draw(st.sampled_from(["quoted", "quoted", "quoted", "below", "|-", ">-"]))
    if style == "quoted":
        quote = draw(quotes) or ('"' if text.replace(".", "").isdigit() else "")
        return f" {quote}{text}{quote}{draw(comments) or ''}\n"
    if style == "below":
        return f"\n{' ' * (indent + 2)}'{text}'\n"
    return f" {style}{draw(comments) or ''}\n{' ' * (indent + 2)}{text}\n"


@st.composite
def block_pins(draw: st.DrawFn, name: str, indent: int) -> str:
    pad = " " * (indent + 2)
    keys = [
        f"package:{draw(scalars(name, indent + 2))}",
        f"version:{draw(scalars(draw(versions), indent + 2))}",
    ]
    if draw(st.booleans()):
        reason = draw(words).replace('"', "")
        keys.append(f'reason: "{reason}"\n')
    ordered = draw(st.permutations(keys))
    above = draw(st.sampled_from(["", "\n", f"{' ' * indent}# ünten\n"]))
    return above + " " * indent + "- " + pad.join(ordered)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    names = tuple(
        draw(st.lists(st.sampled_from(["jq", "vim", "git", "zip"]), min_size=1, unique=True))
    )
    if draw(st.booleans()):
        indent = draw(st.sampled_from([0, 2, 4]))
        pins = "pins:\n" + "".join(draw(block_pins(name, indent)) for name in names)
    else:
        gap = draw(st.sampled_from([" ", "\n  ", " # c\n  "]))
        inner = f",{gap}".join(
            f"{{package: {name}, version: '{draw(versions)}'}}" for name in names
        )
        pins = f"pins: [{gap}{inner}{draw(st.sampled_from(['', ',', ' ']))}]\n"
    head = draw(st.sampled_from(["", "# Größe 😀\n", "name: demo\n\n"]))
    tail = draw(st.sampled_from(["", "\n# end\n", "regions: [a, b]\n", "tags: {a: 'b'}"]))
    return Document((head + pins + tail).replace("\n", draw(ends)), names)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edit") / "image_specs"
    folder.mkdir()
    return folder


@given(document=documents(), version=versions, data=st.data())
def test_a_bump_changes_one_scalar_of_any_document(
    place: Path, document: Document, version: str, data: st.DataObject
) -> None:
    path = write(place, document.text)
    name = data.draw(st.sampled_from(document.names))
    before = parsed_entries(document.text.encode())

    edit = set_keys(path, name, {"version": version}, root=place.parent)

    after = parsed_entries(edit.after)
    pins = before.pop("pins")
    assert isinstance(pins, tuple)
    moved = tuple(one | {"version": version} if one["package"] == name else one for one in pins)
    assert after.pop("pins") == moved
    assert after == before
    old, new = edit.before.splitlines(), edit.after.splitlines()
    changed = [pair for pair in zip(old, new, strict=False) if pair[0] != pair[1]]
    assert len(changed) <= 1 or len(old) != len(new)


@given(document=documents())
def test_what_is_added_and_removed_leaves_the_file_as_it_was(
    place: Path, document: Document
) -> None:
    path = write(place, document.text)
    there = add_entry(path, "pins", NEW, root=place.parent)
    back = remove_entry(path, "pins", "tmux", root=place.parent, instead={path: there.after})

    assert there.after != there.before
    assert back.after.rstrip() == there.before.rstrip()


@given(document=documents(), data=st.data())
def test_a_removal_leaves_every_other_pin(
    place: Path, document: Document, data: st.DataObject
) -> None:
    path = write(place, document.text)
    name = data.draw(st.sampled_from(document.names))

    edit = remove_entry(path, "pins", name, root=place.parent)

    left = parsed_entries(edit.after)["pins"]
    assert isinstance(left, tuple)
    assert [one["package"] for one in left] == [one for one in document.names if one != name]


texts = st.text(alphabet="abc äß→😀:#'\"\\{}[],&*!|>%@`- 019.", min_size=1, max_size=20).map(
    str.strip
)


@given(reason=texts.filter(bool), empty=st.sampled_from(["pins: []\n", "name: demo\n"]))
def test_any_reason_can_be_written(place: Path, reason: str, empty: str) -> None:
    path = write(place, empty)

    edit = add_entry(path, "pins", NEW | {"reason": reason}, root=place.parent)

    assert parsed_entries(edit.after)["pins"] == (NEW | {"reason": reason},)
