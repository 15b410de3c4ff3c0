"""What a spec can say of an image template, and what it says by default: nothing new."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from imagebake.kernel.digest import sha256_json
from imagebake.spec.model.image_spec import ImageSpec
from imagebake.spec.model.options import Build
from imagebake.spec.model.source import GalleryVersionSource, ManagedImage, MarketplaceImage
from imagebake.spec.plan import Script, StepKind
from tests.support.builders import a_spec
from tests.support.full_spec import EVERYTHING, GROUP, everything


def test_a_spec_from_before_is_written_as_it_was() -> None:
    document = a_spec().to_json()

    assert document.keys().isdisjoint({"distribute", "validation", "trigger"})
    assert document["build"].keys() == {"timeout_minutes", "vm_size", "os_disk_gb"}
    assert "replication" not in document["gallery"]
    assert (
        sha256_json(document) == "fbb335288e7c37b32d66c8163232fbaf9a058e01492d5b59cc950a71a77aafe5"
    )


@pytest.mark.parametrize("key", EVERYTHING)
def test_what_a_spec_says_is_written_and_read_again(key: str) -> None:
    spec = everything()

    assert key in spec.to_json()
    assert ImageSpec.model_validate_json(spec.model_dump_json(exclude_none=True)) == spec


def test_build_says_only_what_was_asked_of_it() -> None:
    assert Build(optimize_boot=True).to_json().keys() - Build().to_json().keys() == {
        "optimize_boot"
    }


@pytest.mark.parametrize(
    ("source", "kind", "named"),
    [
        (
            {"publisher": "a", "offer": "b", "sku": "c", "version": "1.2.3"},
            MarketplaceImage,
            ("a:b:c", "1.2.3"),
        ),
        (
            {"managed_image": f"{GROUP}/Microsoft.Compute/images/golden"},
            ManagedImage,
            (f"{GROUP}/Microsoft.Compute/images/golden", ""),
        ),
        (
            {"gallery_version": f"{GROUP}/Microsoft.Compute/galleries/g/images/i/versions/1.2.3"},
            GalleryVersionSource,
            (f"{GROUP}/Microsoft.Compute/galleries/g/images/i", "1.2.3"),
        ),
    ],
)
def test_a_source_is_told_by_its_key(
    source: dict[str, Any], kind: type, named: tuple[str, str]
) -> None:
    found = a_spec(source=source).source

    assert isinstance(found, kind)
    assert found.named == named


@pytest.mark.parametrize("version", ["latest", "1.2", "1.2.x", ""])
def test_a_version_of_a_gallery_is_exact(version: str) -> None:
    named = f"{GROUP}/Microsoft.Compute/galleries/g/images/i/versions/{version}"

    with pytest.raises(ValidationError, match=r"no exact version|not the id of"):
        a_spec(source={"gallery_version": named})


def test_a_plain_script_is_its_name_and_its_text() -> None:
    assert Script(name="a", text="b").identity == ["a", "b"]


@pytest.mark.parametrize(
    "changes",
    [{"kind": StepKind.POWERSHELL}, {"elevated": True}, {"exit_codes": (0, 3010)}],
)
def test_everything_else_makes_it_another_step(changes: dict[str, Any]) -> None:
    assert Script(name="a", text="b", **changes).identity != ["a", "b"]
