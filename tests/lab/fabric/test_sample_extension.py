from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path

from imagebake.kernel.digest import sha256_bytes
from imagebake.lab.fabric.sample_extension import sample_package


def test_the_handler_has_the_same_bytes_every_time() -> None:
    assert sample_package(ballast=1000) == sample_package(ballast=1000)
    assert len(sample_package(ballast=1 << 20)) > 1 << 20
    assert sha256_bytes(sample_package()) != sha256_bytes(sample_package(ballast=1))


def test_every_command_of_the_manifest_is_in_the_package() -> None:
    with zipfile.ZipFile(io.BytesIO(sample_package())) as archive:
        manifest = json.loads(archive.read("HandlerManifest.json"))[0]["handlerManifest"]
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}

    commands = {value.split()[0] for name, value in manifest.items() if name.endswith("Command")}
    assert commands == {"bin/handler.sh"}
    assert modes["bin/handler.sh"] & 0o111


def test_shellcheck_finds_nothing_in_the_handler(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(sample_package())) as archive:
        archive.extract("bin/handler.sh", tmp_path)

    done = subprocess.run(
        ["shellcheck", tmp_path / "bin/handler.sh"], capture_output=True, text=True, check=False
    )

    assert done.stdout == ""


def test_a_handler_told_to_fail_says_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(sample_package())) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/4.settings").write_text('{"publicSettings": {"fail": "on purpose"}}')

    subprocess.run(
        ["/bin/sh", tmp_path / "bin/handler.sh", "enable"],
        env={"PATH": "/usr/bin:/bin", "ConfigSequenceNumber": "4"},
        check=True,
    )

    status = json.loads((tmp_path / "status/4.status").read_text())[0]["status"]
    assert (status["status"], status["code"]) == ("error", 1)
    assert status["formattedMessage"]["message"] == "on purpose"
