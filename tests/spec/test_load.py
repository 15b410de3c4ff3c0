"""Specs are loaded with what they extend; mistakes of all files are shown at once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from imagebake.kernel.errors import SpecError
from imagebake.spec.load import load_all, load_spec, spec_names
from imagebake.spec.model.image_spec import ImageSpec
from tests.spec.conftest import GOLDEN, Load

HEAD = "extends: base/good.yaml\nname: demo\n"


def messages(error: SpecError) -> list[str]:
    """The first line of every complaint."""
    return [str(diagnostic).splitlines()[0] for diagnostic in error.diagnostics]


def refused(load: Load, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(text)
    return messages(caught.value)


def test_our_own_specs_load(project: Path) -> None:
    specs = load_all(project / "image_specs", root=project)

    assert list(specs) == [
        "debian-12-arm64",
        "debian-12-base",
        "debian-12-runner",
        "debian-13-base",
        "ubuntu-2204-base",
        "ubuntu-2404-base",
        "windows-2022-base",
        "windows-2025-base",
    ]
    for spec in specs.values():
        assert len(spec.regions) >= 3
        if spec.gallery.is_windows:
            assert all(pin.installer for pin in spec.agents)
            continue
        assert {agent.name for agent in spec.agents} == {
            "azure-linux-agent",
            "chrony",
            "cloud-init",
        }
        assert spec.local is not None


def test_one_spec_loads_as_it_does_among_all(project: Path) -> None:
    folder = project / "image_specs"

    for name, spec in load_all(folder, root=project).items():
        assert load_spec(folder / f"{name}.yaml", root=project) == spec


def test_a_mapping_is_merged_and_a_scalar_replaced(load: Load) -> None:
    spec = load(HEAD + "owner: somebody\ngallery:\n  definition: other\n  identifier: {sku: big}\n")

    assert spec.owner == "somebody"
    assert (spec.gallery.definition, spec.gallery.generation) == ("other", "V2")
    assert (spec.gallery.identifier.offer, spec.gallery.identifier.sku) == ("demo", "big")


def test_named_lists_are_joined_and_the_spec_takes_the_place(load: Load) -> None:
    spec = load(
        HEAD
        + "pins:\n"
        + "  - {package: jq, version: 1.6-2.1}\n"
        + "  - {agent: azure-linux-agent, version: 2.12.0.2-3}\n"
        + "regions:\n  - {name: northeurope}\n  - {name: westeurope, replicas: 3}\n"
        + "local: {packages: [curl, sudo]}\n"
    )

    assert [(pin.name, pin.version) for pin in spec.pins] == [
        ("azure-linux-agent", "2.12.0.2-3"),
        ("jq", "1.6-2.1"),
    ]
    assert [(region.name, region.replicas) for region in spec.regions] == [
        ("westeurope", 3),
        ("northeurope", 1),
    ]
    assert spec.local is not None
    assert spec.local.packages == ("sudo", "curl")


def test_includes_may_include(load: Load, root: Path) -> None:
    base = root / "image_specs" / "base"
    (base / "middle.yaml").write_text("extends: base/good.yaml\nowner: the middle\ntags: {a: b}\n")

    spec = load("extends: base/middle.yaml\nname: demo\ntags: {c: d}\n")

    assert (spec.owner, spec.tags) == ("the middle", {"a": "b", "c": "d"})


def test_windows_line_ends_are_fine(load: Load) -> None:
    text = HEAD + "pins:\n  - package: jq\n    version: 1.6-2.1\n"

    assert load(text.replace("\n", "\r\n")) == load(text)


def test_words_of_old_yaml_are_the_text_that_they_look_like(load: Load) -> None:
    spec = load(
        HEAD + "tags: {on: yes, off: no, time: 12:30, mode: 0644, day: 2027-03-01, e: 1e3}\n"
    )

    assert spec.tags == {
        "on": "yes", "off": "no", "time": "12:30", "mode": "0644", "day": "2027-03-01", "e": "1e3",
    }  # fmt: skip


def test_mistakes_of_all_files_are_shown_at_once_and_once(root: Path) -> None:
    folder = root / "image_specs"
    (folder / "one.yaml").write_text("extends: base/bad.yaml\nname: one\nowners: me\n")
    (folder / "two.yaml").write_text("extends: base/bad.yaml\nname: zwei\n")
    (folder / "three.yml").write_text("name: three\n")
    (folder / "four.yaml").write_text("name: 'four\n")

    with pytest.raises(SpecError) as caught:
        load_all(folder, root=root)

    assert str(caught.value) == "6 mistakes in 5 files"
    assert [line.partition("]")[0] for line in messages(caught.value)] == [
        "image_specs/base/bad.yaml:4:15: error[S012",
        "image_specs/base/bad.yaml:6:14: error[S013",
        "image_specs/four.yaml:1:7: error[S004",
        "image_specs/one.yaml:3:1: error[S009",
        "image_specs/three.yml:1:1: error[S016",
        "image_specs/two.yaml:2:7: error[S016",
    ]


def test_names_are_known_without_reading(root: Path) -> None:
    folder = root / "image_specs"
    for name in ("b.yaml", "a.yaml", ".hidden.yaml", "notes.txt", "a.lock.json"):
        (folder / name).write_bytes(b"\xff")

    assert spec_names(folder) == ("a", "b")


def test_a_folder_without_specs_holds_none(tmp_path: Path) -> None:
    assert load_all(tmp_path, root=tmp_path) == {}


def test_a_missing_spec_is_said_to_be_missing(root: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(root / "image_specs" / "none.yaml", root=root)

    assert messages(caught.value) == [
        "image_specs/none.yaml:1:1: error[S001]: image_specs/none.yaml does not exist"
    ]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_not_opened(make: object, root: Path) -> None:
    path = root / "image_specs" / "demo.yaml"
    assert callable(make)
    make(path)

    with pytest.raises(SpecError) as caught:
        load_spec(path, root=root)

    assert messages(caught.value)[0].endswith("is not a regular file")


def test_a_link_cannot_lead_an_include_outside(load: Load, root: Path) -> None:
    secret = root / "secret.yaml"
    secret.write_text("owner: nobody\n")
    (root / "image_specs" / "base" / "link.yaml").symlink_to(secret)

    assert refused(load, "extends: base/link.yaml\nname: demo\n") == [
        "image_specs/demo.yaml:1:10: error[S017]: 'base/link.yaml' leads out of image_specs/"
    ]


@pytest.mark.parametrize("name", ["base", "base/", ".", '"a\\0b"', "base/../base/good.yaml"])
def test_an_include_is_a_plain_path_to_a_file(name: str, load: Load) -> None:
    (shown,) = refused(load, f"extends: {name}\nname: demo\n")

    assert "error[S017]" in shown


def test_a_mistake_in_an_include_hides_no_mistake_in_the_spec(load: Load) -> None:
    shown = refused(load, "extends: base/torn.yaml\nname: demo\nregions: [{name: West Europe}]\n")

    assert [line.split(": ")[1] for line in shown] == ["error[S004]", "error[S013]"]


def test_an_unreadable_spec_is_said_to_be_unreadable(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    loop = root / "image_specs" / "demo.yaml"
    loop.symlink_to(loop)

    with pytest.raises(SpecError) as caught:
        load_spec(loop, root=root)

    assert "error[S001]" in messages(caught.value)[0]


def test_paths_outside_the_root_are_shown_whole(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "base", tmp_path / "specs" / "base")
    path = tmp_path / "specs" / "demo.yaml"
    path.write_text(HEAD + "owners: me\n")

    with pytest.raises(SpecError) as caught:
        load_spec(path, root=tmp_path / "elsewhere")

    assert messages(caught.value)[0].startswith(f"{path}:3:1: error[S009]")


def test_two_hundred_specs_share_their_includes(root: Path) -> None:
    folder = root / "image_specs"
    for number in range(200):
        text = f"extends: base/good.yaml\nname: image-{number}\n"
        (folder / f"image-{number}.yaml").write_text(text)

    specs = load_all(folder, root=root)

    assert len(specs) == 200
    assert (
        len({spec.model_copy(update={"name": ""}).model_dump_json() for spec in specs.values()})
        == 1
    )


def test_a_spec_is_a_value(load: Load) -> None:
    assert load(HEAD) == load(HEAD)
    assert isinstance(load(HEAD), ImageSpec)
