from __future__ import annotations

import struct
import uuid
from pathlib import Path
from typing import Any

import pytest

from imagebake.kernel.digest import sha256_file
from imagebake.lab.engine.engine import Engine
from imagebake.lab.engine.errors import EngineFailed
from imagebake.lab.engine.vhd import MIB, aligned, footer
from tests.lab.engine import support
from tests.lab.engine.support import build, shell

ROOT_START = 65 * MIB

BOOT = shell(
    "pretend to have a kernel",
    "sudo sh -e -c '",
    "for version in 6.1.0-9 6.1.0-10 6.1.0-11; do",
    "  echo kernel > /boot/vmlinuz-$version",
    "done",
    "for version in 6.1.0-9 6.1.0-10; do echo initrd > /boot/initrd.img-$version; done",
    "mkdir -p /usr/lib/shim /usr/lib/grub/x86_64-efi-signed /usr/lib/grub/arm64-efi-signed",
    "for cpu in x64 aa64; do echo shim > /usr/lib/shim/shim$cpu.efi.signed; done",
    "echo grub > /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
    "echo grub > /usr/lib/grub/arm64-efi-signed/grubaa64.efi.signed",
    "'",
)


@pytest.fixture(scope="module")
def record(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("export")
    return build(engine, [BOOT, shell("new", "sudo touch /etc/new")], log=folder / "log")


@pytest.mark.root
@pytest.mark.archive
def test_a_disk_is_the_same_bytes_whenever_it_is_made(
    engine: Engine, record: dict[str, Any], tmp_path: Path
) -> None:
    engine.export_vhd(record, tmp_path / "one.vhd")
    for layer in engine.image(record):
        for path in layer.rglob("new"):
            path.read_bytes()
            path.chmod(0o600)
            path.chmod(0o644)

    engine.export_vhd(record, tmp_path / "two.vhd")

    assert sha256_file(tmp_path / "one.vhd") == sha256_file(tmp_path / "two.vhd")
    assert support.mounts(str(engine.folder)) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.vhd", "two.vhd"]


@pytest.mark.root
@pytest.mark.archive
def test_a_disk_boots_the_newest_whole_kernel_by_uefi(
    engine: Engine, record: dict[str, Any], tmp_path: Path
) -> None:
    disk, root = tmp_path / "disk.vhd", tmp_path / "root.ext4"

    size = engine.export_vhd(record, disk)

    with disk.open("rb") as whole, root.open("wb") as part:
        whole.seek(ROOT_START)
        part.write(whole.read(size - ROOT_START - MIB))
    support.output("e2fsck", "-f", "-n", str(root))
    fstab = support.output("debugfs", "-R", "cat /etc/fstab", str(root))
    grub = support.output("debugfs", "-R", "cat /boot/grub/grub.cfg", str(root))
    identity = fstab.split()[0].removeprefix("UUID=")
    assert f"linux /boot/vmlinuz-6.1.0-10 root=UUID={identity} ro" in grub
    assert identity in support.output("dumpe2fs", "-h", str(root))
    for name in ("/etc/new", "/", "/etc/fstab", "<8>"):
        stat = support.output("debugfs", "-R", f"stat {name}", str(root))
        assert {
            line.split("time: ")[1].split()[0] for line in stat.splitlines() if "time: " in line
        } == {f"0x{record['epoch']:08x}:00000000"}
    stub = support.output("mtype", "-i", f"{disk}@@1M", "::/EFI/debian/grub.cfg")
    assert stub.startswith(f"search.fs_uuid {identity} root\n")
    listing = support.output("mdir", "-b", "-i", f"{disk}@@1M", "::/EFI/BOOT")
    assert sorted(line.rsplit("/")[-1].upper() for line in listing.split()) in (
        ["BOOTX64.EFI", "GRUBX64.EFI"],
        ["BOOTAA64.EFI", "GRUBAA64.EFI"],
    )
    assert support.output("sfdisk", "--dump", str(disk)).count("start=") == 2


@pytest.mark.root
@pytest.mark.archive
def test_qemu_takes_the_disk_for_what_it_is(
    engine: Engine, record: dict[str, Any], tmp_path: Path
) -> None:
    disk = tmp_path / "disk.vhd"

    size = engine.export_vhd(record, disk, size=2 * 1024 * MIB - 1)

    assert size == 2 * 1024 * MIB
    assert disk.stat().st_size == size + 512
    assert disk.stat().st_blocks * 512 < size / 2
    about = support.output("qemu-img", "info", "-f", "vpc", "--output=json", str(disk))
    assert f'"virtual-size": {size},' in about


@pytest.mark.root
@pytest.mark.archive
def test_an_image_without_a_kernel_is_a_disk_only_on_request(
    engine: Engine, tmp_path: Path
) -> None:
    record = build(engine, [shell("nothing", "true")], log=tmp_path / "log")

    with pytest.raises(EngineFailed, match="the image has no kernel") as caught:
        engine.export_vhd(record, tmp_path / "refused.vhd")
    engine.export_vhd(record, tmp_path / "data.vhd", bootable=False)

    assert caught.value.code == "NotBootable"
    assert [path.name for path in tmp_path.glob("*.vhd")] == ["data.vhd"]


@pytest.mark.root
@pytest.mark.archive
def test_a_disk_that_cannot_hold_the_image_is_refused(
    engine: Engine, record: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(EngineFailed, match="a disk of 100 MiB is too small for the image"):
        engine.export_vhd(record, tmp_path / "small.vhd", size=100 * MIB)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.root
@pytest.mark.archive
def test_an_image_whose_layers_are_gone_is_named(
    engine: Engine, record: dict[str, Any], tmp_path: Path
) -> None:
    gone = {**record, "layers": [*record["layers"], "f" * 64]}

    with pytest.raises(EngineFailed, match="layer ffffffffffff of the image is no longer"):
        engine.export_vhd(gone, tmp_path / "disk.vhd")


def test_the_footer_says_its_size_and_sums_to_its_checksum() -> None:
    size = 30 * 1024 * MIB

    content = footer(size, identity=uuid.UUID(int=7), epoch=946_684_801)

    assert len(content) == 512
    assert content[:8] == b"conectix"
    assert struct.unpack_from(">I", content, 24) == (1,)
    assert struct.unpack_from(">QQ", content, 40) == (size, size)
    assert struct.unpack_from(">I", content, 60) == (2,)
    without = content[:64] + bytes(4) + content[68:]
    assert struct.unpack_from(">I", content, 64)[0] == ~sum(without) & 0xFFFFFFFF


@pytest.mark.parametrize(("size", "wanted"), [(0, 0), (1, MIB), (MIB, MIB), (MIB + 1, 2 * MIB)])
def test_sizes_are_rounded_up_to_a_mebibyte(size: int, wanted: int) -> None:
    assert aligned(size) == wanted
