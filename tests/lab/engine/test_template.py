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
from imagebake.lab.engine.template import (
    BuildStep,
    build_step,
    ignored_parts,
    named_source,
    unsupported_reason,
)

CONTENT = b"content\n"
URI = "https://files.example/a?sig=secret"


def fetch(uri: str, sha256: str | None) -> bytes:
    assert uri == URI
    assert sha256 in (None, sha256_bytes(CONTENT), "0" * 64)
    return CONTENT


def made(
    described: dict[str, Any], *, mirror: Path | None = None, network: bool = False
) -> BuildStep:
    return build_step(described, 3, fetch=fetch, mirror=mirror, network=network)


def test_inline_lines_are_one_script_that_stops_at_a_failure() -> None:
    step = made({"type": "Shell", "name": "x", "inline": ["one", "two"]})

    assert step.content == b"#!/bin/sh -e\none\ntwo\n"
    assert (step.provisioner, step.user, step.network) == ("shell", "packer", False)


def test_a_step_without_a_name_is_called_by_its_place() -> None:
    assert made({"type": "Shell", "inline": ["true"]}).name == "Shell 3"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("# imagebake: network=required", True),
        ("  #imagebake:network=required  ", True),
        ("echo '# imagebake: network=required'", False),
        ("# imagebake: network=forbidden", False),
    ],
)
def test_a_comment_of_its_own_plugs_the_network_in(line: str, *, wanted: bool) -> None:
    assert made({"type": "Shell", "inline": ["set -e", line, "true"]}).network is wanted


def test_the_network_is_plugged_in_for_all_when_the_builder_says_so() -> None:
    assert made({"type": "Shell", "inline": ["true"]}, network=True).network


def test_a_script_is_fetched_and_checked() -> None:
    described = {"type": "Shell", "scriptUri": URI, "sha256Checksum": sha256_bytes(CONTENT)}

    assert made(described).content == CONTENT


def test_a_file_is_fetched_to_its_destination() -> None:
    step = made({"type": "File", "sourceUri": URI, "destination": "/tmp/x"})  # noqa: S108

    assert (step.provisioner, step.content, step.destination) == ("file", CONTENT, "/tmp/x")  # noqa: S108


def test_the_wrong_digest_is_refused_without_the_secret_of_the_address() -> None:
    described = {"type": "Shell", "name": "x", "scriptUri": URI, "sha256Checksum": "0" * 64}

    with pytest.raises(EngineFailed) as caught:
        made(described)

    assert caught.value.code == "ChecksumMismatch"
    assert caught.value.message == (
        f"x: https://files.example/a has sha256 {sha256_bytes(CONTENT)}, "
        f"and the template wants {'0' * 64}"
    )


@pytest.mark.parametrize("kind", ["PowerShell", "WindowsRestart", "WindowsUpdate"])
def test_windows_is_refused_with_the_reason(kind: str) -> None:
    with pytest.raises(EngineFailed) as caught:
        made({"type": kind, "name": "w"})

    assert caught.value.code == "UnsupportedCustomizerType"
    assert caught.value.message == (
        f"w: {kind} customizes Windows, and this builder makes Linux images"
    )


@pytest.mark.parametrize(
    ("described", "code", "message"),
    [
        ({"type": "Ansible"}, "BadCustomizerType", "there is no customizer type 'Ansible'"),
        ({"type": "Shell"}, "NoCustomizerScript", "has either inline or scriptUri"),
        (
            {"type": "Shell", "inline": ["true"], "scriptUri": URI},
            "NoCustomizerScript",
            "has either inline or scriptUri",
        ),
        (
            {"type": "File", "sourceUri": URI, "destination": "/etc/x"},
            "BadCustomizerType",
            "puts files below /tmp only, not at '/etc/x'",
        ),
    ],
)
def test_a_customizer_that_azure_would_refuse_is_refused(
    described: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(EngineFailed, match=message) as caught:
        made(described)

    assert caught.value.code == code


def test_a_file_is_at_most_20_mb() -> None:
    large = bytes((20 << 20) + 1)

    with pytest.raises(EngineFailed, match="and a File customizer takes 20 MB"):
        build_step(
            {"type": "File", "sourceUri": "x", "destination": "/tmp/x"},  # noqa: S108
            1,
            fetch=lambda *_: large,
            mirror=None,
            network=False,
        )


def test_addresses_of_the_mirror_are_files_of_the_mirror(tmp_path: Path) -> None:
    (tmp_path / "sha256").mkdir()
    (tmp_path / "sha256/a b").write_bytes(b"mirrored")

    step = made(
        {"type": "Shell", "scriptUri": "file:///run/imagebake/mirror/sha256/a%20b"},
        mirror=tmp_path,
    )

    assert step.content == b"mirrored"


@pytest.mark.parametrize("name", ["../secret", "gone", "%2e%2e/secret"])
def test_the_mirror_gives_nothing_else(tmp_path: Path, name: str) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")

    with pytest.raises(EngineFailed, match="the mirror has no"):
        made(
            {"type": "Shell", "scriptUri": f"file:///run/imagebake/mirror/{name}"},
            mirror=tmp_path / "mirror",
        )


def test_a_key_follows_everything_that_the_result_depends_on() -> None:
    step = BuildStep(name="x", provisioner="shell", content=b"true")
    others = [
        BuildStep(name="x", provisioner="file", content=b"true"),
        BuildStep(name="x", provisioner="shell", content=b"false"),
        BuildStep(name="x", provisioner="shell", content=b"true", user="root"),
        BuildStep(name="x", provisioner="shell", content=b"true", network=True),
        BuildStep(name="x", provisioner="shell", content=b"true", destination="/tmp/x"),  # noqa: S108
    ]

    keys = {step.key("a"), step.key("b"), *(other.key("a") for other in others)}

    assert len(keys) == 2 + len(others)
    assert BuildStep(name="y", provisioner="shell", content=b"true").key("a") == step.key("a")


OWN = system_packages.architecture()
RECIPE = BaseRecipe(suite="bookworm", architecture=OWN, packages=("base-files",))
WINDOWS = {"type": "PlatformImage", "publisher": "a", "offer": "b", "sku": "c", "version": "1.2.3"}
SCRIPT = b"Write-Output 1"


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
    fetched = {"sourceUri": "https://files.example/a", "sha256Checksum": sha256_bytes(SCRIPT)}
    customize = [*steps("PowerShell"), {"type": "File", "name": "put", **fetched}]
    engine.build(
        {"properties": {"source": WINDOWS, "customize": customize}},
        log=tmp_path / "log",
        on_state=lambda _: None,
        cancelled=lambda: False,
    )


def test_files_are_checked_even_where_nothing_can_be_run(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedTemplate) as caught:
        built(tmp_path, SCRIPT)

    assert caught.value.message.endswith(
        "1 PowerShell step (powershell-1); checksums of files that are right: 1"
    )


def test_a_file_that_is_another_one_is_said_even_where_nothing_can_be_run(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed) as caught:
        built(tmp_path, b"something else")

    assert caught.value.code == "ChecksumMismatch"
