"""Consoles as real disks left them: of one that boots, and of disks broken in one place each.

The recordings are shortened by lines of the kernel that nothing depends on.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebake.lab.disk.console import plain, read_console
from imagebake.lab.disk.result import BootStage, BootTrouble

CONSOLES = Path(__file__).parent / "consoles"
KERNEL = "6.1.0-56-cloud-amd64"
NOT_FOUND = (
    'BdsDxe: failed to load Boot0001 "UEFI QEMU NVMe Ctrl imagebake 1" from'
    " PciRoot(0x0)/Pci(0x1,0x0)/NVMe(0x1,00-00-00-00-00-00-00-00): Not Found"
)
NOBODY = "00000000-0000-4000-8000-000000000000"


def recorded(name: str) -> bytes:
    return (CONSOLES / f"{name}.log").read_bytes()


def test_a_disk_that_boots_shows_every_stage_in_order() -> None:
    reading = read_console(recorded("login"))

    assert reading.stages == tuple(BootStage)
    assert reading.whole
    assert reading.trouble is None
    assert reading.kernel == KERNEL
    assert reading.failed == ("ssh.servic…",)
    assert reading.last[-1] == "localhost login: "


def test_a_newer_systemd_and_its_questions_to_the_terminal_are_understood() -> None:
    reading = read_console(recorded("login-debian-13"))

    assert reading.whole
    assert reading.trouble is None
    assert reading.failed == ("ssh.service",)
    assert reading.last[-2:] == ("Debian GNU/Linux 13 localhost ttyS0", "localhost login: ")


@pytest.mark.parametrize(
    ("name", "reached", "trouble", "message"),
    [
        ("no-loader", BootStage.FIRMWARE, BootTrouble.NO_LOADER, NOT_FOUND),
        ("no-loader-secure", BootStage.FIRMWARE, BootTrouble.NO_LOADER, NOT_FOUND),
        (
            "unsigned-loader",
            BootStage.FIRMWARE,
            BootTrouble.UNSIGNED,
            "Verification failed: (0x1A) Security Violation",
        ),
        ("no-grub-cfg", BootStage.LOADER, BootTrouble.NO_CONFIGURATION, "grub>"),
        (
            "no-kernel",
            BootStage.LOADER,
            BootTrouble.NO_KERNEL,
            f"error: file `/boot/vmlinuz-{KERNEL}' not found.",
        ),
        ("no-console", BootStage.LOADER, None, ""),
        (
            "no-root",
            BootStage.KERNEL,
            BootTrouble.NO_ROOT,
            f"ALERT!  UUID={NOBODY} does not exist.  Dropping to a shell!",
        ),
        (
            "no-init",
            BootStage.ROOT,
            BootTrouble.NO_ROOT,
            "No init found. Try passing init= bootarg.",
        ),
        (
            "wrong-fstab",
            BootStage.SYSTEM,
            BootTrouble.EMERGENCY,
            "Timed out waiting for device …00000-0000-4000-8000-000000000000.",
        ),
    ],
)
def test_a_broken_disk_is_told_by_its_console(
    name: str, reached: BootStage, trouble: BootTrouble | None, message: str
) -> None:
    reading = read_console(recorded(name))

    assert (reading.stages[-1], reading.trouble, reading.trouble_line) == (
        reached,
        trouble,
        message,
    )
    assert not reading.whole


def test_the_last_lines_are_those_around_the_trouble() -> None:
    shown = read_console(recorded("no-root")).last

    assert shown[-2].startswith("ALERT!")
    assert shown[-1] == "(initramfs)"


def test_a_kernel_that_panics_says_so() -> None:
    panic = (
        b"[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n[    1.3] CPU: 0"
    )
    reading = read_console(b"[    0.0] Linux version 6.1.0 (x)\r\n" + panic)

    assert (reading.stages[-1], reading.trouble) == (BootStage.KERNEL, BootTrouble.PANIC)
    assert reading.trouble_line.endswith("Unable to mount root fs")


def test_a_quiet_kernel_hides_no_stage_from_a_login() -> None:
    assert read_console(b"\r\nhost login: ").stages == tuple(BootStage)


def test_words_of_the_firmware_mean_nothing_once_the_kernel_runs() -> None:
    later = recorded("login") + b"\r\nsshd: Access Denied\r\ngrub> "

    assert read_console(later).trouble is None


def test_what_systemd_wrote_over_is_left_out() -> None:
    waiting = b"one\r\r\n[*  ] Job x (1s)\r\r\n\x1bM\r\x1b[K[ * ] Job x (2s)\r\r\n"

    assert [line for line in plain(waiting).split("\n") if line] == ["one", "[ * ] Job x (2s)"]


@given(st.sampled_from(sorted(CONSOLES.glob("*.log"))), st.integers(0, 20_000))
def test_a_console_that_goes_on_takes_no_stage_back(path: Path, end: int) -> None:
    content = path.read_bytes()

    assert set(read_console(content[:end]).stages) <= set(read_console(content).stages)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(content: bytes) -> None:
    assert not read_console(content).whole
