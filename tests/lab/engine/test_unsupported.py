from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from imagebake.kernel.digest import sha256_bytes
from imagebake.kernel.host import system_packages
from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.errors import EngineFailed, UnsupportedTemplate
from imagebake.lab.engine.recipe import BaseMarketplace, BaseRecipe
from imagebake.lab.engine.template import ignored_parts, named_source, unsupported_reason

OWN = system_packages.architecture()
RECIPE = BaseRecipe(suite="bookworm", architecture=OWN, packages=("base-files",))
WINDOWS = {"type": "PlatformImage", "publisher": "a", "offer": "b", "sku": "c", "version": "1.2.3"}
CONTENT = b"Write-Output 1"


def steps(*kinds: str) -> list[dict[str, Any]]:
    return [{"type": kind, "name": f"{kind.lower()}-{n}"} for n, kind in enumerate(kinds, 1)]


def test_what_can_be_run_gives_no_reason() -> None:
    properties = {"source": WINDOWS, "customize": steps("Shell", "File")}

    assert unsupported_reason(properties, RECIPE) == ""


def test_an_image_for_another_processor_is_for_another_machine() -> None:
    recipe = dataclasses.replace(RECIPE, architecture="riscv64")

    assert unsupported_reason({"source": WINDOWS}, recipe) == (
        f"this machine runs {OWN}, and the image is for riscv64"
    )


def test_everything_that_cannot_be_run_is_said_at_once() -> None:
    properties = {
        "source": WINDOWS,
        "customize": steps("PowerShell", "PowerShell", "WindowsRestart", "PowerShell"),
        "validate": {"inVMValidations": steps("PowerShell")},
    }

    assert unsupported_reason(properties, None) == (
        "no base on this machine stands in for the source a:b:c:1.2.3; this builder makes Linux"
        " images, and cannot run 4 PowerShell steps (powershell-1, powershell-2, powershell-4 and"
        " 1 more), 1 WindowsRestart step (windowsrestart-3)"
    )


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ({"type": "ManagedImage", "imageId": "/images/x"}, "/images/x"),
        ({"type": "SharedImageVersion", "imageVersionId": "/versions/1"}, "/versions/1"),
        ({"type": "Moon"}, "Moon"),
        ({}, "nothing"),
    ],
)
def test_every_source_has_a_name(source: dict[str, str], named: str) -> None:
    assert named_source(source) == named


def test_what_means_nothing_here_is_told() -> None:
    properties = {
        "optimize": {"vmBoot": {"state": "Enabled"}},
        "additionalDataDisks": [{"sizeGB": 64}],
        "vmProfile": {"vnetConfig": {"subnetId": "x"}},
    }

    assert ignored_parts(properties) == ("optimize", "further disks", "a virtual network")
    assert ignored_parts({"vmProfile": {"vmSize": "x"}}) == ()


def built(tmp_path: Path, content: bytes) -> None:
    """Ask for a build of a Windows template that names a file; whatever is fetched is *content*."""
    engine = Engine(
        folder=tmp_path / "engine",
        mirror=None,
        marketplace=BaseMarketplace(tmp_path / "marketplace"),
        fetch=lambda _uri, _digest: content,
    )
    fetched = {"sourceUri": "https://files.example/a", "sha256Checksum": sha256_bytes(CONTENT)}
    customize = [*steps("PowerShell"), {"type": "File", "name": "put", **fetched}]
    engine.build(
        {"properties": {"source": WINDOWS, "customize": customize}},
        log=tmp_path / "log",
        on_state=lambda _: None,
        cancelled=lambda: False,
    )


def test_files_are_checked_even_where_nothing_can_be_run(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedTemplate) as caught:
        built(tmp_path, CONTENT)

    assert caught.value.message.endswith(
        "1 PowerShell step (powershell-1); checksums of files that are right: 1"
    )


def test_a_file_that_is_another_one_is_said_even_where_nothing_can_be_run(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed) as caught:
        built(tmp_path, b"something else")

    assert caught.value.code == "ChecksumMismatch"
