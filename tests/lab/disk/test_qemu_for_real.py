"""Real disks on the emulated machine: one that boots, and ones that are broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from imagebake.lab.disk.qemu import EMULATED, KVM, BootAttempt, Hardware, boot
from imagebake.lab.disk.result import BootStage, BootTrouble, DiskBoot
from imagebake.lab.engine.store import LayerStore
from imagebake.lab.engine.vhd import ESP_SIZE, ESP_START, MIB, ExportedImage, export_vhd, footer
from tests.support.boot_root import disk_root
from tests.support.other_users import a_user, an_open_folder, run_as

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.archive,
    # Without a processor's help, on a busy machine.
    pytest.mark.timeout(900),
]

LIMIT = 300.0


@pytest.fixture(scope="module")
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = request.config.cache
    assert cache is not None
    root = disk_root(cache.mkdir("boot-roots"))
    folder = tmp_path_factory.mktemp("disk")
    image = ExportedImage(
        layers=(root,),
        content_sha256="0" * 64,
        content_bytes=1024 * MIB,
        epoch=1_760_000_000,
        architecture="amd64",
    )
    export_vhd(LayerStore(folder / "engine"), image, folder / "disk.vhd")
    return folder / "disk.vhd"


def booted(disk: Path, folder: Path) -> DiskBoot:
    hardware = Hardware(disk=disk, console=folder / "console", scratch=folder, secure=True)
    attempt = BootAttempt(
        command=hardware.command,
        console=hardware.console,
        scratch=folder,
        secure=True,
        limit=LIMIT,
    )
    return boot(attempt, (KVM, EMULATED), clock=time.monotonic, on_stage=lambda _: None)


def test_a_disk_boots_with_secure_boot_and_is_not_written_to(disk: Path, tmp_path: Path) -> None:
    before = disk.stat().st_mtime_ns

    seen = booted(disk, tmp_path)

    assert seen.trouble is None, seen.last
    assert seen.reached is BootStage.LOGIN
    assert "EFI Secure Boot" in (tmp_path / "console").read_text(errors="replace")
    assert disk.stat().st_mtime_ns == before


def test_a_disk_without_its_boot_loader_says_so(disk: Path, tmp_path: Path) -> None:
    broken = shutil.copyfile(disk, tmp_path / "broken.vhd")
    with broken.open("r+b") as file:
        file.seek(ESP_START)
        file.write(bytes(ESP_SIZE))

    seen = booted(broken, tmp_path)

    assert (seen.trouble, seen.reached) == (BootTrouble.NO_LOADER, BootStage.FIRMWARE)
    assert seen.last


def test_a_disk_whose_boot_loader_was_tampered_with_is_refused(disk: Path, tmp_path: Path) -> None:
    broken = shutil.copyfile(disk, tmp_path / "broken.vhd")
    loader, at = tmp_path / "grub.efi", f"{broken}@@{ESP_START // MIB}M"
    subprocess.run(["mcopy", "-i", at, "::/EFI/BOOT/grubx64.efi", loader], check=True)
    content = bytearray(loader.read_bytes())
    content[len(content) // 2] ^= 0xFF
    loader.write_bytes(content)
    subprocess.run(["mcopy", "-D", "o", "-i", at, loader, "::/EFI/BOOT/grubx64.efi"], check=True)

    seen = booted(broken, tmp_path)

    assert (seen.trouble, seen.reached) == (BootTrouble.UNSIGNED, BootStage.FIRMWARE)


def test_the_machine_dies_with_whoever_started_it(disk: Path, tmp_path: Path) -> None:
    victim = subprocess.Popen(
        [sys.executable, "-m", "tests.support.killed_disk_boot", str(disk), str(tmp_path)]
    )

    assert victim.wait(timeout=LIMIT) == -9

    deadline = time.monotonic() + LIMIT
    while _mentioned(tmp_path) and time.monotonic() < deadline:
        pass
    assert _mentioned(tmp_path) == []


def test_a_machine_needs_no_root() -> None:
    with a_user() as user, an_open_folder() as folder:
        disk = folder / "blank.vhd"
        with disk.open("wb") as file:
            file.truncate(64 * MIB)
            file.seek(0, os.SEEK_END)
            file.write(footer(64 * MIB, identity=uuid.UUID(int=4), epoch=0))
        mine = folder / "mine"
        mine.mkdir()
        shutil.chown(mine, user)

        done = run_as(user, "-m", "tests.support.killed_disk_boot", disk, mine)

        assert done.returncode == -9, done.stderr
        assert b"BdsDxe" in (mine / "console").read_bytes()


def _mentioned(folder: Path) -> list[str]:
    """The processes whose command line names *folder*."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
        if str(folder) in words:
            found.append(words)
    return found
